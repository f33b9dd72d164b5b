"""Halving: the computed midpoints, their number, and the result, where the answer is known."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.interpolator.bisection import frames_at
from services.interpolator.rife import Rife
from shared.stage_settings.interpolator import INTERPOLATOR_PROFILES, InterpolatorSettings

Clip = Callable[[int, float], np.ndarray]
CORRECTED, PAPER = INTERPOLATOR_PROFILES["corrected"], INTERPOLATOR_PROFILES["paper"]


def test_recorded_frames_come_out_as_they_are(moving: Clip, mean) -> None:
    clip = moving(4, 2.0)
    for profile in INTERPOLATOR_PROFILES.values():
        np.testing.assert_array_equal(frames_at(clip, [0, 1, 2, 3], mean, profile), clip)
    assert mean.forwards == 0


def test_halvings_are_shared_and_batched_by_depth(ramp: np.ndarray, mean) -> None:
    shown = frames_at(ramp, [0.25, 0.5, 0.75, 1.5, 0.25], mean, PAPER)
    assert mean.batches == [2, 2]  # 0.5 and 1.5, then 0.25 and 0.75
    assert shown[:, 0, 0, 0].tolist() == [10, 20, 30, 60, 10]


def test_repeated_frames_share_their_midpoints(ramp: np.ndarray, mean) -> None:
    frames_at(ramp[[0, 2, 0, 2]], [0.25, 2.25], mean, PAPER)
    assert mean.forwards == 2
    frames_at(ramp[[0, 2, 1, 2]], [0.25, 2.25], mean, PAPER)
    assert mean.forwards == 2 + 4


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.floats(0, 4))
def test_the_papers_halving_ends_within_the_tolerance(ramp: np.ndarray, mean, position: float) -> None:
    shown = frames_at(ramp, [position], mean, PAPER)
    assert abs(shown[0, 0, 0, 0] - 40 * position) <= 40 * PAPER.tolerance + 1  # truncated
    assert max(mean.batches, default=0) <= 1


def test_tolerance_takes_the_frame_itself(ramp: np.ndarray, mean) -> None:
    shown = frames_at(ramp, [1.005, 1.995], mean, PAPER)
    np.testing.assert_array_equal(shown, ramp[[1, 2]])
    frames_at(ramp, [1.006], mean, PAPER)
    assert mean.forwards == 7  # 1 + 1/128 is the first midpoint near enough


def test_cycles_bound_the_halvings(ramp: np.ndarray, mean) -> None:
    frames_at(ramp, [1.3], mean, PAPER.model_copy(update={"cycles": 3}))
    assert mean.forwards == 3


def test_quantise(ramp: np.ndarray, mean) -> None:
    first = ramp[:2] // 40 * 3  # 0 and 3: a quarter of the way is 0.75
    for quantise, level in (("round", 1), ("truncate", 0)):
        setting = InterpolatorSettings(quantise=quantise, blend_below=0)
        assert np.all(frames_at(first, [0.25], mean, setting) == level)


def test_truncation_darkens_and_rounding_does_not(moving: Clip, net: Rife) -> None:
    clip = moving(2, 2.0)
    exact = net.midpoint(clip[0], clip[1]).mean() * 255
    rounded, truncated = (frames_at(clip, [0.5], net, profile).mean() for profile in (CORRECTED, PAPER))
    assert rounded - exact == pytest.approx(0, abs=0.05)
    assert truncated - exact == pytest.approx(-0.5, abs=0.05)


def test_small_motion_is_blended(moving: Clip, mean) -> None:
    clip = moving(2, 0.3)
    shown = frames_at(clip, [0.3], mean, CORRECTED)
    np.testing.assert_allclose(shown[0], 0.7 * clip[0] + 0.3 * clip[1], atol=0.5001)
    assert mean.forwards == 0
    frames_at(clip, [0.3], mean, CORRECTED.model_copy(update={"blend_below": 0}))
    assert mean.forwards > 0


def test_large_motion_is_halved_until_it_is_small(moving: Clip, net: Rife) -> None:
    clip, earlier = moving(2, 2.4), net.forwards
    shown = frames_at(clip, [0.3], net, CORRECTED)
    assert 2 <= net.forwards - earlier <= 3  # 2.4 px, 1.2 px, 0.6 px; the estimate runs a little high
    truth = moving(2, 2.4 * 0.3)[1].astype(float)
    blend = 0.7 * clip[0] + 0.3 * clip[1]
    inside = (slice(12, -12), slice(12, -12))
    assert np.square(shown[0] - truth)[inside].mean() < 0.3 * np.square(blend - truth)[inside].mean()


def test_identical_frames_stay(moving: Clip, net: Rife) -> None:
    clip = np.repeat(moving(1, 0), 3, axis=0)
    np.testing.assert_array_equal(frames_at(clip, [0.4, 1.3], net, CORRECTED), clip[:2])
    difference = np.abs(frames_at(clip, [0.4, 1.3], net, PAPER).astype(int) - clip[:2])
    assert (difference > 2).mean() < 0.01  # RIFE's own, seven times over, at a few sharp edges; then truncation
