"""From a source to a clip: face-cropped frames of one size from onset to offset, with an apex between them."""

import numpy as np
from numpy.typing import NDArray

from services.ingest import apex_spotting, crop
from services.ingest.crop_watch import CropWatch
from services.ingest.limits import check_crop_size
from services.ingest.person_search import find_person
from services.ingest.repeats import follow_repeats
from services.ingest.source_reading import Source
from shared.clip_notes import SPOTTED_APEX
from shared.errors import BadData
from shared.face_detectors import choose_detector
from shared.stage import Arrays
from shared.stage_settings.ingest import IngestSettings


def crop_clip(source: Source, settings: IngestSettings) -> Arrays:
    """`frames` uint8 [T,H,W,3] RGB, `onset` = 0, `apex`, `offset` = T-1, `fps`, `notes` str [n].

    With `times` float64 [T], seconds from the onset, if the source has them. Frames are decoded and cropped one by one:
    beside the result a few full frames are in memory. Raises BadData for undecodable files, mixed sizes, no face, a
    face that leaves its crop, several faces of which none is clearly meant, and an absent apex if the settings refuse
    it.
    """
    _check_apex(source, settings)
    frames = _crop_frames(source, settings)
    apex = _apex_index(source, frames, settings)
    clip = {
        "frames": frames,
        "onset": np.array(0, np.int64),
        "apex": np.array(apex, np.int64),
        "offset": np.array(source.length - 1, np.int64),
        "fps": np.array(source.fps, np.float64),
        "notes": np.array(source.notes, np.str_),
    }
    return clip if source.times is None else clip | {"times": source.times}


def _check_apex(source: Source, settings: IngestSettings) -> None:
    if source.apex is None and settings.absent_apex == "refuse":
        raise BadData(
            f"expected a coded apex between onset {source.onset} and offset {source.offset}, got none; profile `paper` "
            "refuses the clip (the original fails with a KeyError): write the apex into the sheet or use profile "
            "`corrected`, which spots it."
        )


def _crop_frames(source: Source, settings: IngestSettings) -> NDArray[np.uint8]:
    check_crop_size(source.length, settings.height, settings.width)
    out = np.empty((source.length, settings.height, settings.width, 3), np.uint8)
    size = settings.height, settings.width
    frames = follow_repeats(source.read_frames(), source.onset, source.notes)
    if source.cropped:
        for index, (_, frame) in enumerate(frames):
            out[index] = crop.fit_frame(frame, *size)
        return out
    person = find_person(source, settings)
    watch: CropWatch | None = None
    for index, (name, frame) in enumerate(frames):
        out[index] = crop.cut_crop(frame, person.crop, *size)
        if watch:
            watch.check_frame(name, frame, out[index])
        elif index == person.start:
            watch = CropWatch(person.box, name, out[index], choose_detector(settings.detector))
    return out


def _apex_index(source: Source, frames: NDArray[np.uint8], settings: IngestSettings) -> int:
    """Index of the coded apex, or of the spotted one with a note."""
    if source.apex is not None and not (source.apex == source.onset and settings.apex_at_onset == "spot"):
        return source.apex - source.onset
    detect = choose_detector(settings.detector)
    index = apex_spotting.spot_apex(frames, source.fps, settings.spot_blur, settings.spot_window, source.times, detect)
    reason = "no apex is coded" if source.apex is None else "the coded apex is the onset frame"
    source.notes.append(f"{reason}{SPOTTED_APEX} {source.onset + index}")
    return index
