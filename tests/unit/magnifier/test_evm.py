"""Magnification as a whole: properties of any clip, at any size, in both profiles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.magnifier import butterworth, evm, smoothing
from shared.errors import BadData
from shared.stage_settings.magnifier import FACTORS, MAGNIFIER_PROFILES, MagnifierSettings

CORRECTED, PAPER = MAGNIFIER_PROFILES["corrected"], MAGNIFIER_PROFILES["paper"]
ONSET_FRAMES = {"corrected": 1, "paper": 0}  # how many of the frames put out show the onset


def noise(*shape: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def changed(base: MagnifierSettings, **values: object) -> MagnifierSettings:
    return MagnifierSettings(**(base.model_dump() | values))


def mid_grey(change: np.ndarray) -> np.ndarray:
    """Change [T, H, W] -> a grey clip around one half, RGB floats [T, H, W, 3]."""
    return np.repeat((0.5 + change)[..., None], 3, axis=-1)


def grating(wavelength: float, displacement: np.ndarray, size: int = 64) -> np.ndarray:
    """Vertical bars, faint enough for all gamuts, moved to the right by `displacement` px per frame."""
    phase = 2 * np.pi * (np.arange(size) - displacement[:, None]) / wavelength
    return mid_grey(np.repeat(0.05 * np.sin(phase)[:, None], size, axis=1))


@pytest.mark.parametrize("profile", MAGNIFIER_PROFILES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_clip_without_motion_comes_out_bit_by_bit(profile: str, dtype: type) -> None:
    still = np.repeat(noise(1, 33, 41, 3), 5, axis=0)
    out = evm.magnify_motion(still, FACTORS, profile, dtype=dtype)
    assert out.dtype == dtype
    np.testing.assert_array_equal(
        evm.quantise_frames(out), np.broadcast_to(still[0], (10, 4 + ONSET_FRAMES[profile], 33, 41, 3))
    )


@pytest.mark.parametrize("profile", MAGNIFIER_PROFILES)
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (4, 4), (5, 5), (5, 1), (7, 6), (31, 17), (16, 129)])
@pytest.mark.parametrize("frames", [2, 11])
def test_any_size_gives_numbers_in_range(profile: str, size: tuple[int, int], frames: int) -> None:
    out = evm.magnify_motion(noise(frames, *size, 3), [0.0, 1.2, 3.0], profile, fps=50)
    assert out.shape == (3, frames - 1 + ONSET_FRAMES[profile], *size, 3)
    assert np.isfinite(out).all()
    assert out.min() >= 0
    assert out.max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (1, 50), (4, 60)])
def test_a_frame_too_small_for_a_pyramid_stays_as_it_is(size: tuple[int, int]) -> None:
    clip = noise(4, *size, 3)
    np.testing.assert_array_equal(evm.quantise_frames(evm.magnify_motion(clip, [3.0])[0]), clip)


def test_the_onset_comes_first_unless_the_settings_drop_it() -> None:
    clip = noise(4, 24, 24, 3)
    shown = evm.magnify_motion(clip, FACTORS)
    np.testing.assert_array_equal(evm.quantise_frames(shown[:, 0]), np.broadcast_to(clip[0], (10, 24, 24, 3)))
    np.testing.assert_array_equal(
        evm.magnify_motion(clip, FACTORS, changed(CORRECTED, first_frame="dropped")), shown[:, 1:]
    )


def test_factor_zero_changes_nothing() -> None:
    clip = noise(4, 32, 32, 3)
    out = evm.magnify_motion(clip, [0.0], changed(CORRECTED, head="as-recorded", light="as-recorded"))
    np.testing.assert_array_equal(evm.quantise_frames(out[0]), clip)


@pytest.mark.parametrize("profile", MAGNIFIER_PROFILES)
def test_a_factor_does_not_depend_on_its_neighbours(profile: str) -> None:
    clip = noise(5, 45, 38, 3)
    together = evm.magnify_motion(clip, FACTORS, profile, dtype=np.float64)
    alone = [evm.magnify_motion(clip, [factor], profile, dtype=np.float64)[0] for factor in FACTORS]
    np.testing.assert_allclose(together, alone, atol=1e-12)


def test_each_is_magnify_one_factor_at_a_time() -> None:
    clip = noise(5, 45, 38, 3)
    whole = evm.magnify_motion(clip, FACTORS, "paper")
    for got, expected in zip(evm.magnify_each(clip, FACTORS, "paper"), whole, strict=True):
        np.testing.assert_array_equal(got, expected)


@settings(max_examples=20)
@given(st.floats(-2, 2), st.integers(0, 99))
def test_linear_in_the_clips_change(scale: float, seed: int) -> None:
    change = 0.02 * np.random.default_rng(seed).normal(size=(4, 24, 30)) / 4
    once = evm.magnify_motion(mid_grey(change), [2.0], dtype=np.float64) - 0.5
    scaled = evm.magnify_motion(mid_grey(scale * change), [2.0], dtype=np.float64) - 0.5
    np.testing.assert_allclose(scaled, scale * once, atol=1e-12)


def test_a_grey_clip_stays_grey() -> None:
    grey = np.repeat(noise(5, 40, 31, 1), 3, axis=-1)
    out = evm.magnify_motion(grey, [2.6])
    np.testing.assert_array_equal(out, np.repeat(out[..., :1], 3, axis=-1))


def test_luma_alone_moves_unless_chroma_is_asked_for() -> None:
    clip = np.full((3, 32, 32, 3), 0.5)
    clip[1:, 8:24, 8:24] += (0.956 * 0.05, -0.272 * 0.05, -1.106 * 0.05)  # a change of I
    np.testing.assert_allclose(evm.magnify_motion(clip, [3.0], dtype=np.float64)[0], clip, atol=1e-14)
    half, whole = (
        evm.magnify_motion(clip, [3.0], changed(CORRECTED, chrom_attenuation=share), dtype=np.float64)[0] - clip
        for share in (0.5, 1.0)
    )
    assert np.abs(whole).max() > 0.05
    np.testing.assert_allclose(half, whole / 2, atol=1e-12)


def test_a_sinusoid_in_time_gets_the_closed_form_gain() -> None:
    """In a band at full gain the output is the clip plus alpha times its band-pass: the same pattern, scaled."""
    course = np.sin(np.arange(12.0))
    pattern = 0.02 * np.cos(np.pi * np.arange(64) / 16)  # wavelength 32, symmetric about both edges but one pixel
    clip = mid_grey(course[:, None, None] * np.broadcast_to(pattern, (64, 64)))
    middle = (slice(None), slice(24, 40), slice(24, 40))
    full = changed(CORRECTED, lambda_c=0.01, head="as-recorded", light="as-recorded")
    out = evm.magnify_motion(clip, [1.5], full, fps=40.0, dtype=np.float64)[0, 1:]
    passed = smoothing.smooth_changes(course, np.arange(12) / 40, 0, 10)
    expected = 0.5 + (course[1:] + 1.5 * passed)[:, None] * pattern
    residual = 0.04 * 0.02  # what little of the pattern the coarsest, unmagnified band takes
    assert np.abs(out[..., 0][middle] - expected[:, None, 24:40]).max() < residual * 3


def change_over_time(values: dict[str, object], rate: float, times: np.ndarray | None = None) -> np.ndarray:
    """What nine frames of one pattern change by, relative to the first change."""
    pattern = 0.02 * np.random.default_rng(6).normal(size=(32, 32))
    clip = mid_grey(np.sin(np.arange(9.0))[:, None, None] * pattern)
    settings = changed(CORRECTED, head="as-recorded", light="as-recorded", **values)
    change = (
        evm.magnify_motion(clip, [2.0], settings, rate, np.float64, times=times)[0]
        - clip[-8 - ONSET_FRAMES["corrected"] :]
    )
    spot = np.unravel_index(np.abs(change[1, ..., 0]).argmax(), (32, 32))
    return np.asarray(change[1:, *spot, 0] / change[1, *spot, 0])


CAUSAL = {"temporal_filter": "causal", "fl": 0.5}


@pytest.mark.parametrize(
    ("values", "rate", "nyquist"),
    [({}, 40.0, 20.0), ({}, 57.0, 28.5), ({"nominal_fps": 30.0}, 57.0, 15.0), ({"halved_cutoffs": True}, 40.0, 40.0)],
)
def test_which_frame_rate_and_cut_offs_hold(values: dict[str, object], rate: float, nyquist: float) -> None:
    """The gain over time is the band-pass at the cut-offs of the settings, with either filter."""
    course = np.sin(np.arange(9.0))
    causal = butterworth.band_pass(course, 0.5 / nyquist, 10 / nyquist)
    np.testing.assert_allclose(change_over_time(CAUSAL | values, rate), causal / causal[0], atol=1e-9)
    spline = smoothing.smooth_changes(course, np.arange(9) / (2 * nyquist), 0.5, 10)
    np.testing.assert_allclose(change_over_time({"fl": 0.5} | values, rate), spline / spline[0], atol=1e-9)


def test_true_times_replace_the_frame_rate() -> None:
    times = np.array([0, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.17, 0.23])
    spline = smoothing.smooth_changes(np.sin(np.arange(9.0)), times, 0, 10)
    np.testing.assert_allclose(change_over_time({}, 40.0, times), spline / spline[0], atol=1e-9)


@pytest.mark.parametrize("times", [np.arange(4.0), np.array([0, 1, 1, 2, 3.0]), np.array([0, 1, np.nan, 3, 4])])
def test_times_that_are_none_are_bad_data(times: np.ndarray) -> None:
    with pytest.raises(BadData, match="one time per frame, 5 that increase"):
        evm.magnify_motion(noise(5, 16, 16, 3), [2.0], times=times)


@pytest.mark.parametrize("fps", [0.5, 7.0, 19.9, 20.0, 20.1, 200.0, 1e4])
def test_any_frame_rate_is_stable(fps: float) -> None:
    out = evm.magnify_motion(mid_grey(0.01 * np.random.default_rng(7).normal(size=(60, 24, 24))), [3.0], fps=fps)
    assert np.abs(out - 0.5).max() < 0.5


def test_corrected_magnifies_a_moving_grating_and_the_paper_reduces_it() -> None:
    """Bars 16 px apart move by 0.1 px: output phase over input phase, without the filter's own share."""
    displacement = 0.1 * 0.5 * (1 - np.cos(np.pi * np.arange(11) / 8))
    clip = grating(16, displacement)
    temporal = smoothing.smooth_changes(displacement, np.arange(11) / 40, 0, 10)[7] / displacement[8]

    def gain(profile: str) -> np.ndarray:
        settings = changed(
            MAGNIFIER_PROFILES[profile], head="as-recorded", light="as-recorded"
        )  # the whole picture is no head
        frame = 7 + ONSET_FRAMES[profile]
        line = evm.magnify_motion(clip, FACTORS, settings, 40.0, np.float64)[:, frame, 32, 8:56, 0] - 0.5
        bars = np.exp(-2j * np.pi * np.arange(8, 56) / 16)
        return -np.angle(line @ bars / (clip[0, 32, 8:56, 0] - 0.5).dot(bars)) * 16 / (2 * np.pi) / displacement[8]

    np.testing.assert_allclose(gain("corrected"), 1 + temporal * np.array(FACTORS), rtol=0.12)
    assert gain("corrected")[0] > 1.6
    assert (np.diff(gain("corrected")) > 0.1).all()
    assert gain("paper").max() < 0.9


def test_rounding_is_half_up() -> None:
    halves = np.array([0, 0.5, 1.5, 2.4999, 254.5, 255]) / 255
    np.testing.assert_array_equal(evm.quantise_frames(halves), [0, 1, 2, 2, 255, 255])


@pytest.mark.parametrize(
    "frames",
    [
        noise(1, 8, 8, 3),
        noise(5, 8, 8),
        noise(5, 8, 8, 4),
        noise(5, 0, 8, 3),
        noise(5, 8, 8, 3).astype(np.int32),
        np.full((5, 8, 8, 3), np.nan),
    ],
)
def test_what_is_no_clip_is_bad_data(frames: np.ndarray) -> None:
    with pytest.raises(BadData, match="needs"):
        evm.magnify_motion(frames, [2.0])


@pytest.mark.parametrize("fps", [0.0, -30.0, float("nan"), float("inf")])
def test_a_frame_rate_that_is_none_is_bad_data_unless_it_is_nominal(fps: float) -> None:
    clip = noise(3, 16, 16, 3)
    with pytest.raises(BadData, match="frame rate"):
        evm.magnify_motion(clip, [2.0], fps=fps)
    assert evm.magnify_motion(clip, [2.0], "paper", fps=fps).shape == (1, 2, 16, 16, 3)


@pytest.mark.parametrize("factors", [[-1.0], [float("nan")], [[1.2, 2.0]], 2.0])
def test_factors_that_make_no_sense(factors: list[float]) -> None:
    with pytest.raises(BadData, match="row of finite numbers"):
        evm.magnify_motion(noise(3, 16, 16, 3), factors)


def test_only_floating_point_arithmetic() -> None:
    with pytest.raises(BadData, match="float32 or float64"):
        evm.magnify_motion(noise(3, 16, 16, 3), [2.0], dtype=np.float16)
