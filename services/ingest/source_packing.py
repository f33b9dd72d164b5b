"""Packing: a found clip -> the arrays of its `source` artifact, raw encoded bytes as they lie on disk."""

import numpy as np

from services.ingest.catalogue.entry import FoundClip
from shared.errors import BadData
from shared.stage import Arrays


def pack_source(found: FoundClip) -> Arrays:
    """The clip's files onset..offset (a video: the whole file) with what later stages must know about them.

    `data` uint8 [bytes], `ends` int64 [files], `names` str [files], `numbers` int64 [files], `onset`, `apex` (-1 =
    absent), `offset` int64, `fps` float64, `kind` "frames" | "video", `cropped` bool, `notes` str [n]. Content only:
    equal clips give equal arrays wherever they lie, and labels (emotion, action units) are no part of it.
    Raises BadData for a file that can't be read.
    """
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
        "onset": np.array(found.onset, np.int64),
        "apex": np.array(-1 if found.apex is None else found.apex, np.int64),
        "offset": np.array(found.offset, np.int64),
        "fps": np.array(found.fps, np.float64),
        "kind": np.array(found.kind),
        "cropped": np.array(found.cropped),
        "notes": np.array(found.notes, np.str_),
    }
