"""The mean of the recorded frames around a shown position: less noise, the same time, hardly less motion.

A camera at 200 frames/s records several frames per step of the timeline. Their noise is independent, so the mean of n
frames has 1/n of its variance. The weights are those of the mean of the linear interpolation between recorded frames
over a window centred on the position. So the mean time of the weights is the position itself.

At the clip's first and last frame a centred window would leave the clip. There a straight line is fitted to the frames
of one window by least squares, and the shown frame is the line's value at the end. That keeps the time as well.

A mean blunts a turn of the expression: of a raised cosine that rises over the time a, a window w takes 0.21 (w/a)^2 of
the motion at the apex, and the line adds 0.41 (w/a)^2 at the onset. So a window at a turn is at most `SHARE_AT_TURN` of
the rise and of the fall. That limits the first to 1.3 % and the second to 1.6 %, however few frames there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
SHARE_AT_TURN = 0.2  # of the way from onset to apex or from apex to offset


@dataclass(frozen=True)
class FrameMean:
    """A weighted mean of consecutive frames: the number of the first one, and their weights [n], which sum to 1."""

    first: int
    weights: Doubles

    def average_frames(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Clip uint8 [T,H,W,3] -> the mean, float32 [H,W,3] in grey levels; one frame at a time, in a fixed order."""
        total = np.zeros(frames.shape[1:], np.float32)
        for frame, weight in zip(frames[self.first :], self.weights.astype(np.float32), strict=False):
            total += frame * weight
        return total


def plan_means(positions: Sequence[float], apex: int, window: float, clock: Doubles) -> list[FrameMean | None]:
    """The mean that each shown position shows; None where too few recorded frames lie around it.

    `positions` [N] and `apex` are in frames of the clip. `clock` [T] is the time of each frame, in any unit. `window`
    is in steps of the timeline, of the shorter of the two steps beside a position.
    """
    numbers = np.arange(len(clock))
    shown = np.interp(positions, numbers, clock)
    steps = np.concatenate([[np.inf], np.diff(shown), [np.inf]])
    widths = window * np.minimum(steps[:-1], steps[1:])
    turns = shown[0], clock[apex], shown[-1]
    return [
        plan_mean(float(at), limit_at_turns(float(at), float(width), turns), clock)
        for at, width in zip(shown, widths, strict=True)
    ]


def limit_at_turns(at: float, width: float, turns: tuple[float, float, float]) -> float:
    """The width of a window around a time, limited if it reaches over onset, apex or offset (`turns`)."""
    low, high = at - width / 2, at + width / 2
    if not any(low < turn < high for turn in turns):
        return width
    onset, apex, offset = turns
    rise = apex - onset if low < apex else 0.0
    fall = offset - apex if high > apex else 0.0
    return min([width, *(SHARE_AT_TURN * half for half in (rise, fall) if half > 0)])


def plan_mean(at: float, width: float, clock: Doubles) -> FrameMean | None:
    """The mean for a window of this width around a time; None if frames in it are over half the width apart.

    `clock` [T] is the time of each frame, in the unit of time and width. The window is narrower
    where the clip ends within it, and one-sided at the clip's first and last frame.
    """
    room = min(at - clock[0], clock[-1] - at)
    width = min(width, 2 * room) if room > 0 else width
    low = at - (width / 2 if room > 0 else width * (at > clock[0]))
    high = at + (width / 2 if room > 0 else width * (at <= clock[0]))  # low + width can miss the last frame by rounding
    first = max(int(np.searchsorted(clock, low, side="right")) - 1, 0)
    last = min(int(np.searchsorted(clock, high, side="left")), len(clock) - 1)
    times = clock[first : last + 1]
    if width <= 0 or np.diff(times).max() > width / 2:
        return None
    if room > 0:
        return FrameMean(first, interpolant_weights(low, high, times))
    inside = (low <= times) & (times <= high)
    return FrameMean(first + int(inside.argmax()), line_weights(at, times[inside]))


def interpolant_weights(low: float, high: float, times: Doubles) -> Doubles:
    """Weights [n] of values at `times` [n] in the mean of their linear interpolation from low to high."""
    knots = np.array([low, *times[(low < times) & (times < high)], high])
    gaps = np.diff(knots)
    shares = (np.append(gaps, 0) + np.append(0, gaps)) / (2 * (high - low))
    before = np.clip(np.searchsorted(times, knots, side="right") - 1, 0, len(times) - 2)
    onward = (knots - times[before]) / (times[before + 1] - times[before])
    weights = np.zeros(len(times))
    np.add.at(weights, before, shares * (1 - onward))  # in order, not by BLAS, whose order depends on the machine
    np.add.at(weights, before + 1, shares * onward)
    return weights


def line_weights(at: float, times: Doubles) -> Doubles:
    """Weights [n] of values at `times` [n] in the value at one time of the line fitted to them by least squares."""
    around = times - times.mean()
    weights: Doubles = 1 / len(times) + (at - times.mean()) * around / (around**2).sum()
    return weights
