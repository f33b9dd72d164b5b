"""The shape of a bump in a course of motion."""

import numpy as np
import pytest

from shared.spotting.bump import measure_bump


def raised_cosine(count: int, onset: float, apex: float, offset: float) -> np.ndarray:
    at = np.arange(count, dtype=float)
    rise, fall = (at - onset) / (apex - onset), (offset - at) / (offset - apex)
    share = np.clip(np.minimum(rise, fall), 0, 1)
    return (1 - np.cos(np.pi * share)) / 2


def test_onset_apex_and_offset_are_found_to_a_fraction_of_a_frame() -> None:
    found = measure_bump(3 * raised_cosine(60, 10.3, 22.6, 41.2), 24, 4, 40, 3.0)
    assert found is not None
    assert (found.onset, found.apex, found.offset) == pytest.approx((10.3, 22.6, 41.2), abs=0.5)
    assert found.height == pytest.approx(3, abs=0.05)


def test_a_bump_on_a_slope_has_a_rise_and_a_fall_of_its_own() -> None:
    line = raised_cosine(60, 15, 25, 40) + 0.01 * np.arange(60)
    found = measure_bump(line, 25, 4, 20, 1.0)
    assert found is not None
    assert found.rise > 1
    assert found.fall < 1
    assert found.height == found.fall


def test_what_does_not_come_back_is_no_bump() -> None:
    assert measure_bump(np.arange(30, dtype=float), 15, 3, 10, 1.0) is None


def test_a_wiggle_on_the_way_down_is_not_the_foot() -> None:
    line = raised_cosine(60, 10, 20, 40)
    line[30:32] -= 0.08
    found = measure_bump(line, 20, 4, 40, 1.0)
    assert found is not None
    assert found.offset == pytest.approx(40, abs=2)


def test_a_motion_that_starts_again_ends_at_its_foot() -> None:
    line = raised_cosine(90, 10, 20, 30) + raised_cosine(90, 40, 50, 60)
    found = measure_bump(line, 20, 4, 60, 1.0)
    assert found is not None
    assert found.offset == pytest.approx(30, abs=1)
