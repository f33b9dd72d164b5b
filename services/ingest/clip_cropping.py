"""From a source to a clip: face-cropped frames of one size from onset to offset, with an apex between them."""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from services.ingest import apex_spotting, crop
from services.ingest.image import Frame
from services.ingest.settings import IngestSettings
from services.ingest.source_reading import Source
from services.ingest.steady_face_box import steady_box
from shared.errors import BadData
from shared.faces import FaceBox
from shared.stage import Arrays

NamedFrame = tuple[str, Frame]


def crop_clip(source: Source, settings: IngestSettings) -> Arrays:
    """`frames` uint8 [T,H,W,3] RGB, `onset` = 0, `apex`, `offset` = T-1, `fps`, `notes` str [n].

    Frames are decoded and cropped one by one: beside the result at most `face_search` + 1 full frames are in memory.
    Raises BadData for undecodable files, mixed sizes, no face, and an absent apex if the settings refuse it.
    """
    _check_apex(source, settings)
    frames = _crop_frames(source, settings)
    apex = _apex_index(source, frames, settings)
    return {
        "frames": frames,
        "onset": np.array(0, np.int64),
        "apex": np.array(apex, np.int64),
        "offset": np.array(source.length - 1, np.int64),
        "fps": np.array(source.fps, np.float64),
        "notes": np.array(source.notes, np.str_),
    }


def _check_apex(source: Source, settings: IngestSettings) -> None:
    if source.apex is None and settings.absent_apex == "refuse":
        raise BadData(
            f"expected a coded apex between onset {source.onset} and offset {source.offset}, got none; profile `paper` "
            "refuses the clip (the original fails with a KeyError): write the apex into the sheet or use profile "
            "`corrected`, which spots it."
        )


def _crop_frames(source: Source, settings: IngestSettings) -> NDArray[np.uint8]:
    out = np.empty((source.length, settings.height, settings.width, 3), np.uint8)
    size = settings.height, settings.width
    frames = source.read_frames()
    if source.cropped:
        for index, (_, frame) in enumerate(frames):
            out[index] = crop.fit_frame(frame, *size)
        return out
    box, frames = _find_face(frames, source, settings)
    rectangle = crop.crop_around_face(box, *size, settings.margin)
    for index, (_, frame) in enumerate(frames):
        out[index] = crop.cut_crop(frame, rectangle, *size)
    return out


def _find_face(
    frames: Iterator[NamedFrame], source: Source, settings: IngestSettings
) -> tuple[FaceBox, Iterator[NamedFrame]]:
    """The box of the face in the onset frame, or in the first later frame with a face, up to the apex.

    Returns the box and all frames, including those that were searched.
    """
    last = source.offset if source.apex is None else source.apex
    tries = 1 + min(settings.face_search, last - source.onset)
    seen: list[NamedFrame] = []
    for name, frame in itertools.islice(frames, tries):
        seen.append((name, frame))
        try:
            box = steady_box(frame, settings.upsample, settings.box_passes)
        except BadData as error:
            fault = error
            continue
        if len(seen) > 1:
            source.notes.append(f"no face was found in {seen[0][0]}: the crop was set by {name}")
        return box, itertools.chain(seen, frames)
    raise BadData(f"{seen[0][0]} (and {tries - 1} frames after it): {fault}.")


def _apex_index(source: Source, frames: NDArray[np.uint8], settings: IngestSettings) -> int:
    """Index of the coded apex, or of the spotted one with a note."""
    if source.apex is not None and not (source.apex == source.onset and settings.apex_at_onset == "spot"):
        return source.apex - source.onset
    index = apex_spotting.spot_apex(frames, source.fps, settings.spot_blur, settings.spot_window)
    reason = "no apex is coded" if source.apex is None else "the coded apex is the onset frame"
    source.notes.append(f"{reason}: spotted at frame {source.onset + index}")
    return index
