"""MEGC's scoring against values by hand."""

import pytest

from benchmarks.spotting_scores import Interval, SpottingCounts, count_hits, match_intervals, overlap_intervals


def test_overlap_is_intersection_over_union() -> None:
    assert overlap_intervals(Interval(0, 2), Interval(1, 3)) == pytest.approx(1 / 3)
    assert overlap_intervals(Interval(0, 1), Interval(2, 3)) == 0


def test_a_half_is_enough_and_less_is_not() -> None:
    assert match_intervals([Interval(0, 2)], [Interval(0, 1)]) == [(0, 0)]
    assert match_intervals([Interval(0, 2.1)], [Interval(0, 1)]) == []


def test_matches_are_one_to_one_and_as_many_as_possible() -> None:
    # The first spotted one fits both true ones, the second only the first.
    spotted, true = [Interval(0, 10), Interval(0, 6)], [Interval(0, 8), Interval(2, 10)]
    assert match_intervals(spotted, true) == [(0, 1), (1, 0)]
    assert count_hits([Interval(0, 1), Interval(0, 1)], [Interval(0, 1)]) == SpottingCounts(1, 1, 0)


def test_f1_is_pooled() -> None:
    pooled = SpottingCounts(3, 1, 0) + SpottingCounts(0, 0, 2)
    assert pooled == SpottingCounts(3, 1, 2)
    assert pooled.f1 == pytest.approx(6 / 9)
    assert SpottingCounts().f1 == 1
