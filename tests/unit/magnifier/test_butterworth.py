"""The temporal filter against its closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.magnifier import butterworth


def response(cutoff: float, frequency: float) -> complex:
    """First-order Butterworth through the bilinear transform at a share of Nyquist, from the analogue prototype."""
    return 1 / (1 + 1j * np.tan(np.pi / 2 * frequency) / np.tan(np.pi / 2 * cutoff))


@pytest.mark.parametrize("frequency", [0.01, 0.05, 0.2, 0.5, 0.9])
def test_a_sinusoid_gets_the_filters_closed_form_gain(frequency: float) -> None:
    low, high, steps = 0.05, 0.6, np.arange(2000)
    out = butterworth.band_pass(np.sin(np.pi * frequency * steps), low, high)
    gain = response(high, frequency) - response(low, frequency)
    expected = (gain * np.exp(1j * np.pi * frequency * steps)).imag[1:]
    np.testing.assert_allclose(out[500:], expected[500:], atol=1e-9)


def test_half_power_at_the_cutoff() -> None:
    assert abs(response(0.3, 0.3)) == pytest.approx(np.sqrt(0.5))
    num, den = butterworth.low_pass_coefficients(0.3)
    z = np.exp(-1j * np.pi * 0.3)
    assert abs(num * (1 + z) / (1 + den * z)) == pytest.approx(np.sqrt(0.5))


def test_a_half_band_filter_is_the_mean_of_two_frames() -> None:
    assert butterworth.low_pass_coefficients(0.5) == pytest.approx((0.5, 0.0))


@pytest.mark.parametrize("cutoff", [1.0, 1.3, 25.0])
def test_from_nyquist_on_everything_passes(cutoff: float) -> None:
    change = np.random.default_rng(1).normal(size=(9, 4))
    np.testing.assert_array_equal(butterworth.apply_low_pass(change, cutoff), change)


def test_nyquist_is_approached_without_a_jump() -> None:
    change = np.random.default_rng(1).normal(size=(9, 4))
    np.testing.assert_allclose(butterworth.apply_low_pass(change, 1 - 1e-7), change, atol=1e-5)


@given(st.floats(0.001, 3), st.floats(0.001, 3))
def test_a_step_is_never_exaggerated_much(low: float, high: float) -> None:
    """Stable at any frame rate: near Nyquist the filter rings, but never beyond twice the step."""
    out = butterworth.band_pass(np.append(0.0, np.ones(200)), min(low, high), max(low, high))
    assert np.isfinite(out).all()
    assert np.abs(out).max() < 2


def test_what_does_not_change_is_exactly_nothing() -> None:
    still = np.full((7, 3, 2), 0.1, np.float32)
    assert not butterworth.band_pass(still, 0.03, 0.6).any()


def test_float32_stays_float32() -> None:
    assert butterworth.band_pass(np.zeros((3, 2), np.float32), 0.03, 0.6).dtype == np.float32
