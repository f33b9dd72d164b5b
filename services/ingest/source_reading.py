"""Reading of the `source` artifact: a clip's annotation, and its frames decoded one at a time."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.ingest.limits import check_clip_length
from shared import video
from shared.errors import BadData
from shared.images.decoding import Frame, decode_image, to_rgb
from shared.images.depth import measure_depth
from shared.stage import Arrays


@dataclass
class Source:
    """A clip with frame numbers as in the sheet. `apex` is None if absent. Reading frames may add `notes`."""

    onset: int
    apex: int | None
    offset: int
    fps: float
    cropped: bool
    notes: list[str]
    arrays: Arrays = field(repr=False)

    @property
    def length(self) -> int:
        return self.offset - self.onset + 1

    @property
    def times(self) -> NDArray[np.float64] | None:
        """Seconds [length] from the onset to each frame. None for a clip that was recorded evenly."""
        return self.arrays.get("times")

    @property
    def face(self) -> str:
        """Which of several faces is meant, as `check_named_face` gives it. "" if the row does not say."""
        return str(self.arrays["face"].item()) if "face" in self.arrays else ""

    def read_frames(self, chosen: Collection[int] | None = None) -> Iterator[tuple[str, Frame]]:
        """(file name, frame [H,W,3] uint8 RGB) for onset..offset, or for the chosen indices into that range.

        Raises BadData that names a file of another size.
        """
        size: tuple[int, ...] | None = None
        for name, pixels in self._decode_pixels(range(self.length) if chosen is None else chosen):
            size = size or pixels.shape[:2]
            if pixels.shape[:2] != size:
                raise BadData(
                    f"{name}: expected {_format_size(size)} like the clip's first frame, got "
                    f"{_format_size(pixels.shape)}; export all frames of the clip at one size."
                )
            yield name, to_rgb(pixels, self._true_bits if pixels.dtype == np.uint16 else 8)

    def _decode_pixels(self, chosen: Collection[int]) -> Iterator[tuple[str, NDArray[Any]]]:
        data, names = self.arrays["data"], self.arrays["names"].tolist()
        if self.arrays["kind"].item() == "video":
            yield from video.read_packed_frames(self.arrays, self.notes, chosen)
            return
        parts = np.split(data, self.arrays["ends"][:-1])
        yield from ((names[index], decode_image(parts[index], names[index])) for index in chosen)

    @cached_property
    def _true_bits(self) -> int:
        """The depth of the clip's 16-bit frames, measured on all of them once and noted."""
        parts = np.split(self.arrays["data"], self.arrays["ends"][:-1])
        names = self.arrays["names"].tolist()
        depth = measure_depth((name, decode_image(part, name)) for name, part in zip(names, parts, strict=True))
        self.notes.append(depth.note)
        return depth.bits


def read_source(arrays: Arrays) -> Source:
    """The source in arrays as `pack_source` writes them, data uint8 [bytes]. Raises BadData for any other arrays."""
    try:
        return _read_arrays(arrays)
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise BadData(
            f"expected the arrays of a packed clip, got others ({type(error).__name__}: {error}); run discovery on the "
            "dataset again."
        ) from None


def _read_arrays(arrays: Arrays) -> Source:
    onset, apex, offset = (int(arrays[name].item()) for name in ("onset", "apex", "offset"))
    if offset <= onset:
        raise BadData(
            f"expected a clip of two frames or more, got onset {onset} and offset {offset}; correct the sheet."
        )
    check_clip_length(offset - onset + 1, "the clip's record")
    files = 1 if arrays["kind"].item() == "video" else offset - onset + 1
    if len(arrays["ends"]) != files or len(arrays["names"]) != files:
        raise BadData(
            f"expected {files} files for onset {onset} to offset {offset}, got {len(arrays['ends'])}; "
            "run discovery on the dataset again."
        )
    _check_times(arrays, offset - onset + 1)
    return Source(
        onset=onset,
        apex=apex if onset <= apex <= offset else None,
        offset=offset,
        fps=float(arrays["fps"].item()),
        cropped=bool(arrays["cropped"].item()),
        notes=[str(note) for note in arrays["notes"]],
        arrays=arrays,
    )


def _check_times(arrays: Arrays, length: int) -> None:
    times = arrays.get("times", np.arange(length))
    if times.shape != (length,) or not (np.diff(times) > 0).all():
        raise BadData(
            f"expected {length} times of frames that increase, got {len(times)}; run discovery on the dataset again."
        )


def _format_size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]} px"
