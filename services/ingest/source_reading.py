"""Reading of the `source` artifact: a clip's annotation, and its frames decoded one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.ingest import image, video
from services.ingest.image import Frame
from shared.errors import BadData
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

    def read_frames(self) -> Iterator[tuple[str, Frame]]:
        """(file name, frame [H,W,3] uint8 RGB) for onset..offset. Raises BadData that names a file of another size."""
        size: tuple[int, ...] | None = None
        for name, pixels in self._decode_pixels():
            size = size or pixels.shape[:2]
            if pixels.shape[:2] != size:
                raise BadData(
                    f"{name}: expected {_format_size(size)} like the clip's first frame, got "
                    f"{_format_size(pixels.shape)}; export all frames of the clip at one size."
                )
            self._note_depth(pixels)
            yield name, image.to_rgb(pixels, name)

    def _decode_pixels(self) -> Iterator[tuple[str, NDArray[Any]]]:
        data, names = self.arrays["data"], self.arrays["names"].tolist()
        if self.arrays["kind"].item() == "video":
            yield from video.read_packed_frames(self.arrays, self.notes)
            return
        for name, part in zip(names, np.split(data, self.arrays["ends"][:-1]), strict=True):
            yield name, image.decode_image(part, name)

    def _note_depth(self, pixels: NDArray[Any]) -> None:
        note = "16-bit frames: the upper 8 bits of each value were kept"
        if pixels.dtype == np.uint16 and note not in self.notes:
            self.notes.append(note)


def read_source(arrays: Arrays) -> Source:
    """The source in arrays as `pack_source` writes them, data uint8 [bytes]. Raises BadData for any other arrays."""
    onset, apex, offset = (int(arrays[name].item()) for name in ("onset", "apex", "offset"))
    if offset <= onset:
        raise BadData(
            f"expected a clip of two frames or more, got onset {onset} and offset {offset}; correct the sheet."
        )
    files = 1 if arrays["kind"].item() == "video" else offset - onset + 1
    if len(arrays["ends"]) != files or len(arrays["names"]) != files:
        raise BadData(
            f"expected {files} files for onset {onset} to offset {offset}, got {len(arrays['ends'])}; "
            "run discovery on the dataset again."
        )
    return Source(
        onset=onset,
        apex=apex if onset <= apex <= offset else None,
        offset=offset,
        fps=float(arrays["fps"].item()),
        cropped=bool(arrays["cropped"].item()),
        notes=[str(note) for note in arrays["notes"]],
        arrays=arrays,
    )


def _format_size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]} px"
