"""The temporal filter of `corrected`: what passes at which length of a clip, and what is left at its end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline, make_smoothing_spline

from services.magnifier import smoothing


def raised_cosine(times: np.ndarray, apex: float) -> np.ndarray:
    """An expression from rest over the apex (1) back to rest at the last time."""
    back = (times - apex) / (times[-1] - apex)
    return np.where(times < apex, (1 - np.cos(np.pi * times / apex)) / 2, (1 + np.cos(np.pi * back)) / 2)


@pytest.mark.parametrize("seconds", [0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0])
def test_the_gain_does_not_depend_on_the_length(seconds: float) -> None:
    """At the apex within 5 % of the factor, at the end within 0.05 of rest, for every length of a clip."""
    times = np.append(np.linspace(0, 0.4, 5), np.linspace(0.4, 1, 6)[1:]) * seconds
    passed = smoothing.smooth_changes(raised_cosine(times, 0.4 * seconds), times, 0, 10)
    assert passed[3] == pytest.approx(1, abs=0.05)
    assert passed[-1] == pytest.approx(0, abs=0.05)
    assert passed.min() > -0.05


@pytest.mark.parametrize("seconds", [0.3, 1.0])
def test_an_expression_that_is_held_stays(seconds: float) -> None:
    times = np.linspace(0, seconds, 10)
    held = np.minimum(1, times / seconds * 3)
    np.testing.assert_allclose(smoothing.smooth_changes(held, times, 0, 10)[4:], 1, atol=0.03)


def test_a_lower_cut_off_turns_an_expression_round() -> None:
    """Why there is none by default."""
    times = np.linspace(0, 1, 10)
    assert smoothing.smooth_changes(raised_cosine(times, 0.4), times, 0.5, 10)[-1] < -0.2


@pytest.mark.parametrize("cutoff", [5.0, 10.0])
@pytest.mark.parametrize("share", [0.5, 1.0, 2.0])
def test_a_long_wave_gets_the_gain_of_butterworths_formula(cutoff: float, share: float) -> None:
    """In the middle of a long clip: 1 / (1 + (f / cutoff)^4), without a delay."""
    times = np.arange(400) / 400
    wave = np.sin(2 * np.pi * share * cutoff * times)
    passed = smoothing.smooth_changes(wave, times, 0, cutoff)[100:300]
    np.testing.assert_allclose(passed, wave[101:301] / (1 + share**4), atol=0.01)


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=12), st.floats(0.5, 30))
def test_a_straight_course_passes_at_any_times(steps: list[float], cutoff: float) -> None:
    times = np.cumsum([0.0, *steps])
    course = 3 * times
    np.testing.assert_allclose(smoothing.smooth_changes(course, times, 0, cutoff), course[1:], atol=1e-6 * course[-1])


@given(st.integers(0, 99))
def test_bending_energy_is_that_of_the_natural_spline(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times, values = np.cumsum(rng.uniform(0.05, 1, 7)), rng.normal(size=7)
    second = CubicSpline(times, values, bc_type="natural").derivative(2)
    fine = np.linspace(times[0], times[-1], 20001)
    expected = np.trapezoid(second(fine) ** 2, fine)
    assert values @ smoothing.bending_energy(times) @ values == pytest.approx(expected, rel=1e-3)


def test_scipys_smoothing_spline_agrees() -> None:
    """With all but no freedom at frame 0, whose change is 0, and one weight per second elsewhere."""
    rng = np.random.default_rng(3)
    times, change = np.cumsum(rng.uniform(0.02, 0.06, 12)), rng.normal(size=12)
    change[0] = 0
    steps = np.diff(times)
    weights = (np.append(steps, 0) + np.insert(steps, 0, 0)) / 2
    weights[0] = 1e9
    fitted = make_smoothing_spline(times, change, weights, lam=(2 * np.pi * 10) ** -4.0)
    passed = smoothing.smooth_changes(change, times, 0, 10)
    np.testing.assert_allclose(passed, fitted(times)[1:], atol=1e-5)


def test_what_does_not_change_passes_as_zero_in_its_own_type() -> None:
    passed = smoothing.smooth_changes(np.full((4, 2), 0.3, np.float32), np.arange(4) / 30, 0, 10)
    assert passed.dtype == np.float32
    assert not passed.any()


def test_two_frames_pass() -> None:
    np.testing.assert_allclose(smoothing.smooth_changes(np.array([1.0, 3.0]), np.array([0, 0.1]), 0, 10), [2.0])
