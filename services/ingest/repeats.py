"""Frames that are byte for byte the frame before them: no camera records them, a decoder or an export makes them.

A repeat takes the motion out of one step and puts it into the next, so it is told by number.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from services.ingest.image import Frame
from shared.errors import BadData

MOST_REPEATS = 0.25  # share of the clip. Above it too little of the recording is left
NAMED = 12  # numbers that a sentence names


def follow_repeats(frames: Iterable[tuple[str, Frame]], onset: int, notes: list[str]) -> Iterator[tuple[str, Frame]]:
    """Yield the named frames [H,W,3] of a clip as they are, and add a note on those that repeat the frame before them.

    Raises BadData at the end if they are more than a quarter of the clip. A missing frame that is shown by its
    neighbour's file does not count, since discovery told it.
    """
    repeats, last, count = [], ("", np.empty(0, np.uint8)), 0
    for name, frame in frames:
        if name != last[0] and np.array_equal(last[1], frame):
            repeats.append(onset + count)
        last, count = (name, frame), count + 1
        yield name, frame
    if repeats:
        notes.append(describe_repeats(repeats, count))


def describe_repeats(numbers: Sequence[int], length: int) -> str:
    """The note on the frames `numbers` of a clip of `length` frames. Raises BadData for more than a quarter of them."""
    shown = ", ".join(map(str, numbers[:NAMED])) + (f" and {len(numbers) - NAMED} more" if len(numbers) > NAMED else "")
    told = f"{len(numbers)} of {length} frames are byte for byte the frame before them: {shown}"
    if len(numbers) > MOST_REPEATS * length:
        raise BadData(f"{told}; export the recording at the camera's own frame rate, without repeated frames.")
    return told
