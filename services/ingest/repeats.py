"""Frames that are byte for byte the frame before them: no camera records them, a decoder or an export makes them.

A repeat takes the motion out of one step and puts it into the next, so it is told by number.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from shared.errors import BadData
from shared.images.decoding import Frame

MOST_REPEATS = 0.25  # share of the clip. Above it too little of the recording is left
NAMED = 12  # numbers that a sentence names
# A lossy codec changes a repeat a little: by 0.01 to 0.15 of the neighbouring steps in films that were converted from
# 25 or 30 to 60 frames per second. In two recordings the least ratio was 0.4, and 0.2 under extreme compression.
DIP = 0.2
LEAST_STEP = 0.3  # grey levels. Smaller steps are those of the codec
SPARSE = 3  # px between the pixels that are compared


def follow_repeats(frames: Iterable[tuple[str, Frame]], onset: int, notes: list[str]) -> Iterator[tuple[str, Frame]]:
    """Yield the named frames [H,W,3] of a clip as they are, and add a note on those that repeat the frame before them.

    Another note names those that are nearly the frame before them, as a lossy codec stores a repeat.
    Raises BadData at the end if they are more than a quarter of the clip. A missing frame that is shown by its
    neighbour's file does not count, since discovery told it.
    """
    repeats, steps, last, count = [], [0.0], ("", np.empty(0, np.uint8)), 0
    for name, frame in frames:
        if name != last[0] and np.array_equal(last[1], frame):
            repeats.append(onset + count)
        if count:
            steps.append(_measure_step(last[1], frame))
        last, count = (name, frame), count + 1
        yield name, frame
    if repeats:
        notes.append(describe_repeats(repeats, count))
    near = [onset + at for at in _find_dips(steps)]
    if len(near) > 1:
        notes.append(
            f"{len(near)} of {count} frames are nearly the frame before them, as after a conversion to a higher frame "
            f"rate: {_list_numbers(near)}"
        )


def _measure_step(before: Frame, frame: Frame) -> float:
    """Mean change, grey levels, from one frame [H,W,3] to the next of the same size, without that of the light."""
    some = [each[::SPARSE, ::SPARSE, 1].astype(np.float32) for each in (before, frame)]
    gain = some[0].mean() / max(some[1].mean(), 1.0)
    return float(np.abs(gain * some[1] - some[0]).mean())


def _find_dips(steps: Sequence[float]) -> list[int]:
    """Where a step is far below both of its neighbours, and no exact repeat."""
    return [
        at
        for at in range(1, len(steps) - 1)
        if 0 < steps[at] < DIP * min(steps[at - 1], steps[at + 1]) and min(steps[at - 1], steps[at + 1]) > LEAST_STEP
    ]


def _list_numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:NAMED])) + (f" and {len(numbers) - NAMED} more" if len(numbers) > NAMED else "")


def describe_repeats(numbers: Sequence[int], length: int) -> str:
    """The note on the frames `numbers` of a clip of `length` frames. Raises BadData for more than a quarter of them."""
    told = f"{len(numbers)} of {length} frames are byte for byte the frame before them: {_list_numbers(numbers)}"
    if len(numbers) > MOST_REPEATS * length:
        raise BadData(f"{told}; export the recording at the camera's own frame rate, without repeated frames.")
    return told
