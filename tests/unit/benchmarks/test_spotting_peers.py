"""The other rules of the spotting benchmark, on curves made by hand."""

import numpy as np
import pytest

from benchmarks.spotting_peers import merge_intervals, sift_modes, spot_apices, spot_public
from benchmarks.spotting_scores import Interval

FPS = 30.0


def curves_with_bump(height: float) -> np.ndarray:
    """Motion [200, 13] px at rest, but for a bump from 3 to 4 s in two regions."""
    times = np.arange(200) / FPS
    bump = height * (1 - np.cos(2 * np.pi * np.clip(times - 3, 0, 1))) / 2
    curves = np.random.default_rng(0).normal(0.3, 0.02, (200, 13))
    curves[:, :2] += bump[:, None]
    return curves


def test_the_public_rule_finds_a_high_bump_and_no_low_one() -> None:
    (found,) = spot_public(curves_with_bump(3.0), FPS, 1.0)
    assert found.onset == pytest.approx(3.25, abs=0.15)
    assert found.offset == pytest.approx(3.75, abs=0.15)
    assert spot_public(curves_with_bump(1.2), FPS, 1.0) == []
    assert len(spot_public(curves_with_bump(1.2), FPS, 0.35)) == 1


def test_modes_add_up_to_the_curve_and_the_last_is_the_slow_part() -> None:
    times = np.linspace(0, 1, 300)
    curve = np.sin(40 * np.pi * times) + 3 * times
    modes = sift_modes(curve)
    np.testing.assert_allclose(np.sum(modes, axis=0), curve, atol=1e-9)
    assert np.corrcoef(modes[-1], times)[0, 1] > 0.99


def test_intervals_that_overlap_by_a_third_of_the_shorter_are_one() -> None:
    merged = merge_intervals([Interval(0, 1), Interval(0.6, 3), Interval(2.9, 4)])
    assert merged == [Interval(0, 3), Interval(2.9, 4)]


def test_the_apex_rule_keeps_the_highest_of_windows_that_overlap() -> None:
    rows = np.array([(1.0, 1.2, 1.4, 0.9), (1.05, 1.2, 1.4, 0.8), (3.0, 3.2, 3.5, 0.1), (5.0, 5.01, 5.02, 2.0)])
    assert spot_apices(rows, 0.5) == [Interval(1.0, 1.4)]
