"""Scoring of spotted intervals as in the Micro-Expression Grand Challenge: one-to-one, by overlap, pooled.

A spotted interval finds a true one of the same kind if their intersection over union is 0.5 or more. Matches are
one-to-one, as many as possible. Hits, false alarms and misses are summed over all videos before F1 is computed.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

LEAST_OVERLAP = 0.5


class Interval(NamedTuple):
    """Onset and offset, s."""

    onset: float
    offset: float


@dataclass(frozen=True)
class SpottingCounts:
    """Hits, false alarms and misses."""

    hits: int = 0
    false: int = 0
    missed: int = 0

    def __add__(self, other: "SpottingCounts") -> "SpottingCounts":
        return SpottingCounts(self.hits + other.hits, self.false + other.false, self.missed + other.missed)

    @property
    def f1(self) -> float:
        """2 hits / (2 hits + false alarms + misses); 1 if there was nothing to find and nothing was found."""
        all_of_them = 2 * self.hits + self.false + self.missed
        return 2 * self.hits / all_of_them if all_of_them else 1.0


def overlap_intervals(one: Interval, other: Interval) -> float:
    """Intersection over union of two intervals."""
    shared = min(one.offset, other.offset) - max(one.onset, other.onset)
    return max(0.0, shared) / (max(one.offset, other.offset) - min(one.onset, other.onset))


def match_intervals(spotted: list[Interval], true: list[Interval]) -> list[tuple[int, int]]:
    """Index pairs (spotted, true) of the largest one-to-one matching with enough overlap."""
    if not spotted or not true:
        return []
    overlaps = np.array([[overlap_intervals(one, other) for other in true] for one in spotted])
    fits = overlaps >= LEAST_OVERLAP
    pairs = zip(*linear_sum_assignment(fits + 1e-3 * overlaps, maximize=True), strict=True)
    return [(int(one), int(other)) for one, other in pairs if fits[one, other]]


def count_hits(spotted: list[Interval], true: list[Interval]) -> SpottingCounts:
    """Hits, false alarms and misses of one kind in one video."""
    hits = len(match_intervals(spotted, true))
    return SpottingCounts(hits, len(spotted) - hits, len(true) - hits)
