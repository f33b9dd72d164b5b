"""The positions of the frames that the method shows. Positions are in frames of the clip and may be fractions."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def apex_positions(onset: float, apex: float, offset: float, frames: int) -> list[float]:
    """The paper's rule: nearly all frames from onset to apex, one half-way back (more than 5 frames only), the offset.

    Frames are spread evenly if the apex is at the offset or there is no room for a frame on either side of it. Returns
    `frames` positions, the first at the onset, the last at the offset. Raises ValueError for fewer than two frames.
    """
    if apex == offset or frames < 3:
        return uniform_positions(onset, offset, frames)
    if frames <= 5:
        return [*_even_steps(onset, apex, frames - 1), float(offset)]
    return [*_even_steps(onset, apex, frames - 2), apex + (offset - apex) / 2, float(offset)]


def halved_positions(onset: float, apex: float, offset: float, frames: int) -> list[float]:
    """One position exactly at the apex, and even steps from the onset to it and from it to the offset.

    The steps of the halves differ as little as the number of frames allows (`count_steps_to_apex`). The whole clip is
    spread evenly if the apex is at the onset or at the offset, or if there are fewer than three frames. Returns
    `frames` positions, the first at the onset, the last at the offset. Raises ValueError for fewer than two frames.
    """
    if frames < 3 or apex in (onset, offset):
        return [*uniform_positions(onset, offset, frames)[:-1], offset]
    rising = count_steps_to_apex(onset, apex, offset, frames - 1)
    before, after = _even_steps(onset, apex, rising + 1), _even_steps(apex, offset, frames - rising)
    return [*before[:-1], *after[:-1], offset]


def count_steps_to_apex(onset: float, apex: float, offset: float, steps: int) -> int:
    """How many of `steps` lie before the apex, so that the longer step is the smallest multiple of the shorter one.

    At least one is on either side. Of two equal choices it is the one with more steps before the apex, which the map
    reads. Rounding keeps the choice the same for seconds as for frames. Expects onset < apex < offset and two steps.
    """
    ratio = (apex - onset) / (offset - apex)
    return min(
        range(1, steps), key=lambda before: (round(abs(math.log(ratio * (steps - before) / before)), 9), -before)
    )


def frame_positions(rule: str, onset: float, apex: float, offset: float, frames: int) -> list[float]:
    """Positions by rule: "apex-halves" (`halved_positions`), "uniform" (`uniform_positions`), else `apex_positions`."""
    if rule == "apex-halves":
        return halved_positions(onset, apex, offset, frames)
    if rule == "uniform":
        return uniform_positions(onset, offset, frames)
    return apex_positions(onset, apex, offset, frames)


def clip_positions(
    rule: str, onset: int, apex: int, offset: int, frames: int, times: NDArray[np.float64] | None
) -> list[float]:
    """As `frame_positions`. With `times` [T], the seconds of a clip's frames, the rule spreads the frames in time.

    The positions are in frames of the clip, so they are close together in a gap of the recording.
    """
    if times is None:
        return frame_positions(rule, onset, apex, offset, frames)
    shown = frame_positions(rule, times[onset], times[apex], times[offset], frames)
    return [float(position) for position in np.interp(shown, times, np.arange(len(times)))]


def uniform_positions(onset: float, offset: float, frames: int) -> list[float]:
    """`frames` positions evenly from onset to offset, both included. Raises ValueError for fewer than two frames."""
    if frames < 2:
        raise ValueError(f"A timeline runs from onset to offset: expected at least 2 frames, got {frames}.")
    return _even_steps(onset, offset, frames)


def shown_frame_rate(shown_positions: Sequence[float], fps: float) -> float:
    """Frame rate in Hz of frames at these positions of a clip recorded with `fps` Hz; the mean rate if uneven.

    With positions in seconds, `fps` is 1.
    """
    return fps * (len(shown_positions) - 1) / (shown_positions[-1] - shown_positions[0])


def _even_steps(first: float, last: float, frames: int) -> list[float]:
    """`frames` values from first to last, both ends exact; one frame alone is the first."""
    return [first + step * (last - first) / max(frames - 1, 1) for step in range(frames)]
