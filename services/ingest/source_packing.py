"""Packing: from a found clip to the arrays of its `source` artifact, with the files' bytes as they are."""

import numpy as np

from services.ingest.catalogue.entry import FoundClip
from shared.errors import BadData
from shared.stage import Arrays


def pack_source(found: FoundClip) -> Arrays:
    """The clip's files onset..offset (of a video the whole file), and the facts that later stages need.

    `data` uint8 [bytes], `ends` int64 [files], `names` str [files], `numbers` int64 [files], `onset`, `apex` (-1 =
    absent), `offset` int64, `fps` float64, `kind` "frames" | "video", `cropped` bool, `notes` str [n], and `face` str
    where the row names one. Equal clips give equal arrays in every folder. Labels (emotion, action units) are no part
    of them. Raises BadData for a file that cannot be read.
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
    packed = {
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
    if found.face:  # no array otherwise, so that the bytes of a clip without it stay as they are
        packed["face"] = np.array(found.face)
    return packed
