"""The mean of recorded frames: closed forms, the time and the motion that it keeps, and the noise that it removes."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.interpolator.stage import compute, interpolate_clip
from services.interpolator.timeline import clip_positions, halved_positions
from services.interpolator.window import (
    FrameMean,
    interpolant_weights,
    limit_at_turns,
    line_weights,
    plan_mean,
    plan_means,
)
from shared.stage import Arrays
from shared.stage_settings.interpolator import InterpolatorSettings

EVEN = np.arange(91, dtype=np.float64)
TIMES = st.lists(st.floats(0.002, 0.06), min_size=8, max_size=120)


def plan_default(apex: int, clock: np.ndarray, window: float = 1.0) -> list[FrameMean | None]:
    positions = clip_positions("apex-halves", 0, apex, len(clock) - 1, 10, clock)
    return plan_means(positions, apex, window, clock)


def read_mean(mean: FrameMean, values: np.ndarray) -> float:
    return float(mean.weights @ values[mean.first : mean.first + len(mean.weights)])


def test_a_centred_window_is_the_mean_of_the_linear_interpolation() -> None:
    np.testing.assert_allclose(interpolant_weights(1, 3, np.arange(5.0)), [0, 0.25, 0.5, 0.25, 0])
    np.testing.assert_allclose(interpolant_weights(0.5, 2.5, np.arange(4.0)), [1 / 16, 7 / 16, 7 / 16, 1 / 16])
    np.testing.assert_allclose(interpolant_weights(0, 4, np.array([0.0, 1, 4])), [0.125, 0.5, 0.375])


def test_the_line_through_three_frames_at_its_end() -> None:
    np.testing.assert_allclose(line_weights(0, np.arange(3.0)), np.array([5, 2, -1]) / 6)
    np.testing.assert_allclose(line_weights(2, np.arange(3.0)), np.array([-1, 2, 5]) / 6)


def test_the_frames_that_a_clip_shows() -> None:
    """Rise 30 and fall 60 frames in steps of 10: windows of 10 frames, but of 6 at the apex and at the onset."""
    means = plan_default(30, EVEN)
    spans = [(mean.first, mean.first + len(mean.weights) - 1) for mean in means if mean]
    assert spans == [(0, 6), (5, 15), (15, 25), (27, 33), *[(at - 5, at + 5) for at in range(40, 90, 10)], (80, 90)]


@given(TIMES, st.data(), st.floats(0.2, 2))
def test_weights_keep_the_sum_and_the_time(gaps: list[float], data: st.DataObject, window: float) -> None:
    clock = np.concatenate([[0.0], np.cumsum(gaps)])
    apex = data.draw(st.integers(0, len(gaps)))
    positions = clip_positions("apex-halves", 0, apex, len(gaps), 10, clock)
    for at, mean in zip(positions, plan_means(positions, apex, window, clock), strict=True):
        if mean:
            assert mean.weights.sum() == pytest.approx(1, abs=1e-9)
            assert read_mean(mean, clock) == pytest.approx(np.interp(at, np.arange(len(clock)), clock), abs=1e-9)
            assert (
                1 / len(mean.weights) - 1e-9 <= (mean.weights**2).sum() <= 1 + 1e-9
            )  # never more noise than one frame


@given(st.integers(1, 300), st.integers(1, 300))
def test_the_motion_to_the_apex_is_kept_within_a_hundredth_and_a_half(rise: int, fall: int) -> None:
    course = (1 + np.cos(np.interp(np.arange(rise + fall + 1), [0, rise, rise + fall], [-np.pi, 0, np.pi]))) / 2
    means = plan_default(rise, np.arange(len(course), dtype=np.float64))
    at = halved_positions(0, rise, rise + fall, 10).index(rise)
    start, peak = (
        read_mean(mean, course) if mean else recorded for mean, recorded in ((means[0], 0.0), (means[at], 1.0))
    )
    assert 0.987 <= peak <= 1
    assert -0.016 <= start <= 0
    assert 0.99 <= peak - start <= 1.015


def test_a_window_is_limited_at_onset_apex_and_offset_alone() -> None:
    turns = 0.0, 10.0, 50.0
    assert limit_at_turns(0, 9, turns) == limit_at_turns(10, 9, turns) == limit_at_turns(7, 9, turns) == 2
    assert limit_at_turns(50, 9, turns) == 8
    assert limit_at_turns(5, 9, turns) == limit_at_turns(15, 10, turns) == 9 or 10
    assert limit_at_turns(0, 20, (0.0, 0.0, 50.0)) == 10  # an apex at the onset has no rise


@pytest.mark.parametrize(("frames", "apex"), [(2, 1), (5, 2), (10, 4), (16, 7)])
def test_slow_cameras_show_what_they_showed(frames: int, apex: int) -> None:
    """With fewer than two frames per step nothing is averaged."""
    assert plan_default(apex, np.arange(frames, dtype=np.float64)) == [None] * 10


def test_no_mean_reaches_over_a_gap_of_the_recording() -> None:
    clock = np.delete(EVEN, slice(33, 48))
    for mean in plan_default(30, clock):
        if mean:
            used = clock[mean.first : mean.first + len(mean.weights)]
            assert not (used[0] < 40 < used[-1])
    missing = [mean is None for mean in plan_default(30, clock)]
    assert missing == [position in (30, 40, 50) for position in range(0, 100, 10)]


def noisy_clip(length: int, apex: int, sd: float) -> Arrays:
    noise = np.random.default_rng(4).normal(0, sd, (length, 40, 48, 3))
    frames = np.rint(100 + noise).clip(0, 255).astype(np.uint8)
    marks = {"onset": 0, "apex": apex, "offset": length - 1, "fps": 200.0}
    return {"frames": frames} | {name: np.array(value) for name, value in marks.items()}


def test_noise_falls_as_the_weights_say_in_both_sets_of_frames() -> None:
    clip = noisy_clip(91, 30, 6.0)
    shown = compute({"ingest": clip}, InterpolatorSettings())
    for frame, mean in zip(shown["frames"], plan_default(30, EVEN), strict=True):
        assert mean is not None
        expected = 36.08 * (mean.weights**2).sum() + 1 / 12  # and the variance of rounding
        assert frame.var() == pytest.approx(expected, rel=0.06)
    plain = compute({"ingest": clip}, InterpolatorSettings(window=0))
    for frames in ("frames", "au_frames"):
        assert shown[frames].var() < 0.35 * plain[frames].var()
    np.testing.assert_array_equal(plain["frames"][3], clip["frames"][30])
    for timing in ("positions", "apex", "fps"):
        np.testing.assert_array_equal(shown[timing], plain[timing])


def test_frames_before_the_onset_are_used_where_the_clip_has_them() -> None:
    frames = noisy_clip(120, 40, 6.0)["frames"]
    alone = interpolate_clip(frames[10:101], 0, 30, 90)
    within = interpolate_clip(frames, 10, 40, 100)
    np.testing.assert_array_equal(alone[1:-1], within[1:-1])
    expected = frames[7:14].astype(float).T @ interpolant_weights(7, 13, np.arange(7.0, 14))
    np.testing.assert_allclose(within[0], expected.T, atol=0.501)


def test_a_mean_is_rounded_or_truncated_as_set() -> None:
    frames = np.full((91, 40, 48, 3), 10, np.uint8)
    frames[25] = 22  # the last frame of the window, of weight 1/20
    mean = plan_default(30, EVEN)[2]
    assert mean is not None
    level = read_mean(mean, frames[:, 0, 0, 0].astype(float))
    rounded, truncated = (
        interpolate_clip(frames, 0, 30, 90, 10, InterpolatorSettings(quantise=rule))[2, 0, 0, 0]  # type: ignore[arg-type]
        for rule in ("round", "truncate")
    )
    assert (rounded, truncated) == (11, 10)
    assert level == pytest.approx(10.6)


@given(st.integers(1, 200), st.integers(1, 200), st.integers(2, 24))
def test_means_of_neighbours_share_no_more_than_an_end(rise: int, fall: int, count: int) -> None:
    """With a window of one step the means are of different frames, so that their noise is independent."""
    assume(count > 2)
    clock = np.arange(rise + fall + 1, dtype=np.float64)
    means = plan_means(halved_positions(0, rise, rise + fall, count), rise, 1.0, clock)
    for one, other in itertools.pairwise(means[1:-1]):
        if one and other:
            shared = one.first + len(one.weights) - other.first
            assert shared <= 2


def test_rounding_does_not_leave_the_last_frame_out() -> None:
    """The end minus the window plus the window is less than the end for some of these times."""
    for start in np.linspace(0, 1, 200):
        clock = start + np.cumsum([0.1, 0.03, 0.047, 0.047, 0.043])
        mean = plan_mean(float(clock[-1]), 0.13, clock)
        assert mean is not None
        assert mean.first + len(mean.weights) == len(clock)
