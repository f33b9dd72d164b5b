"""Packing: from a found clip to the arrays of its `source` artifact, with the files' bytes as they are."""

from typing import Any

import numpy as np

from services.ingest.catalogue.entry import FoundClip
from services.ingest.limits import check_source_size
from services.ingest.video_locating import locate_clip
from services.ingest.video_packing import pack_video
from shared.errors import BadData
from shared.stage import Arrays


def pack_source(found: FoundClip) -> Arrays:
    """The clip's files onset..offset, and the facts that later stages need.

    `data` uint8 [bytes], `ends` int64 [files], `names` str [files], `numbers` int64 [files], `onset`, `apex` (-1 =
    absent), `offset` int64, `fps` float64, `kind` "frames" | "video", `cropped` bool, `notes` str [n], and `face` str
    where the row names one. Equal clips give equal arrays in every folder. Labels (emotion, action units) are no part
    of them. Raises BadData for a file that cannot be read, and for a video whose frames are not the row's.

    A video is one file, and `onset`, `apex` and `offset` are places among its recorded frames. Of a long one `data`
    has only what the clip needs; `numbers` is the place of its first frame. An uneven one has `times` float64
    [offset - onset + 1], seconds from the onset. `aspect` is that of `pack_video`.
    """
    found = locate_clip(found)
    onset, apex, offset = found.span or (found.onset, found.apex, found.offset)
    packed = pack_video(found) if found.kind == "video" else _pack_frames(found)
    packed.setdefault("ends", np.array([packed["data"].size], np.int64))
    if found.face:  # no array otherwise, so that the bytes of a clip without it stay as they are
        packed["face"] = np.array(found.face)
    if found.times:
        packed["times"] = np.array(found.times, np.float64)
    return packed | {
        "onset": np.array(onset, np.int64),
        "apex": np.array(-1 if apex is None else apex, np.int64),
        "offset": np.array(offset, np.int64),
        "fps": np.array(found.fps, np.float64),
        "kind": np.array(found.kind),
        "cropped": np.array(found.cropped),
        "notes": np.array(found.notes, np.str_),
    }


def _pack_frames(found: FoundClip) -> dict[str, np.ndarray[Any, Any]]:
    """`data` uint8 [bytes], `ends`, `numbers` int64 [files] and `names` str [files] of a folder of frames."""
    check_source_size(found.files, f"{found.sample.subject}/{found.sample.clip}")
    data, ends = bytearray(), []
    for file in found.files:
        try:
            data += file.read_bytes()
        except OSError as error:
            raise BadData(
                f"{found.sample.subject}/{found.sample.clip}: expected a readable {file.name}, got {error.strerror}; "
                "restore the file or its permissions."
            ) from None
        ends.append(len(data))
    return {
        "data": np.frombuffer(data, np.uint8),
        "ends": np.array(ends, np.int64),
        "names": np.array([file.name for file in found.files], np.str_),
        "numbers": np.array(found.numbers, np.int64),
    }
