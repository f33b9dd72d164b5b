"""A bump in a course of motion: where it starts, where it is highest, where it ends, to a fraction of a frame."""

from dataclasses import dataclass, replace

import numpy as np

from shared.spotting.face_motion import Values

RISES_AGAIN = 0.25  # of the expected height: a rise by this much after the lowest place is beyond the foot
UPPER, LOWER = 0.25, 0.75  # shares of the way down at which a side is crossed


@dataclass(frozen=True)
class Bump:
    """Places in frames, with fractions, and the height over the higher foot. Apex: where the course is highest."""

    onset: float
    apex: float
    offset: float
    rise: float
    fall: float

    @property
    def height(self) -> float:
        """The weaker side."""
        return min(self.rise, self.fall)

    def shifted(self, frames: int) -> "Bump":
        """The same bump, so many frames later."""
        return replace(self, onset=self.onset + frames, apex=self.apex + frames, offset=self.offset + frames)

    @property
    def length(self) -> float:
        """Frames."""
        return self.offset - self.onset


def measure_bump(line: Values, at: int, near: int, reach: int, expected: float) -> Bump | None:
    """The bump of a course [T] whose highest place is at most `near` frames from `at`; None for a slope.

    reach: frames in which a foot is looked for on each side. expected: the height, in which wiggles are measured.
    """
    low, high = max(0, at - near), min(len(line), at + near + 1)
    apex = low + int(np.argmax(line[low:high]))
    before, after = line[apex::-1][: reach + 1], line[apex:][: reach + 1]
    left, right = (_find_foot(side, RISES_AGAIN * expected) for side in (before, after))
    if left < 1 or right < 1:
        return None
    rise, fall = (float(side[0] - _level_foot(side, foot)) for side, foot in ((before, left), (after, right)))
    if min(rise, fall) <= 0:
        return None
    onset, offset = apex - _extend_to_foot(before, rise), apex + _extend_to_foot(after, fall)
    return Bump(onset, _refine_peak(line, apex), offset, rise, fall)


def _find_foot(side: Values, wiggle: float) -> int:
    """Index of the lowest place of a course that leaves its apex, before it rises again by more than `wiggle`."""
    above = side - np.minimum.accumulate(side) > wiggle
    end = int(np.argmax(above)) if above.any() else len(side)
    return int(np.argmin(side[:end])) if end else 0


def _level_foot(side: Values, foot: int) -> float:
    """The height at the foot: with its neighbours, since the lowest of many noisy values is too low."""
    return float(side[max(1, foot - 1) : foot + 2].mean())


def _extend_to_foot(side: Values, height: float) -> float:
    """Frames from the apex to the foot of a raised cosine through two places of a side.

    Such a course is a third and two thirds of the way at a quarter and three quarters of its height.
    """
    upper, lower = (_find_crossing(side, float(side[0]) - share * height) for share in (UPPER, LOWER))
    return lower + (lower - upper)


def _find_crossing(side: Values, level: float) -> float:
    """The first place at which a course that starts above a level reaches it."""
    at = int(np.argmax(side <= level))
    return float(at - (level - side[at]) / (side[at - 1] - side[at])) if at else 0.0


def _refine_peak(line: Values, at: int) -> float:
    """The vertex of the parabola through a highest place and its neighbours."""
    if not 0 < at < len(line) - 1:
        return float(at)
    before, peak, after = line[at - 1 : at + 2]
    bend = before - 2 * peak + after
    return at + float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else float(at)
