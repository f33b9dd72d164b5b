"""The adapter and `interpolate_clip`: results per profile, and refused clips."""

from collections.abc import Callable

import numpy as np
import pytest

from services.interpolator.stage import STAGE, compute, interpolate_clip
from shared.errors import BadData
from shared.stage_settings.interpolator import INTERPOLATOR_PROFILES, InterpolatorSettings
from shared.store.npz import pack_arrays

Clip = Callable[[int, float], np.ndarray]
FACE = slice(28, 68)  # enough of it, and quick


def ingested(frames: np.ndarray, apex: int, fps: float = 200) -> dict[str, dict[str, np.ndarray]]:
    marks = {"onset": 0, "apex": apex, "offset": len(frames) - 1}
    return {"ingest": {"frames": frames, "fps": np.array(fps), **{k: np.array(v) for k, v in marks.items()}}}


@pytest.mark.parametrize(("profile", "count", "fps"), [("corrected", 10, 900), ("paper", 10, 900)])
def test_artifact(moving: Clip, mean, profile: str, count: int, fps: float) -> None:
    frames = moving(3, 0.2)[:, FACE, FACE]
    arrays = compute(ingested(frames, apex=1), STAGE.profiles[profile], mean)
    assert arrays["frames"].shape == (count, *frames.shape[1:])
    assert arrays["au_frames"].shape == (16, *frames.shape[1:])
    assert arrays["frames"].dtype == arrays["au_frames"].dtype == np.uint8
    assert arrays["positions"].dtype == arrays["fps"].dtype == np.float64
    assert arrays["positions"][[0, -1]].tolist() == [0, 2]
    assert arrays["apex"] == 1
    assert arrays["fps"] == fps
    for key, number in (("frames", count), ("au_frames", 16)):
        np.testing.assert_array_equal(arrays[key], interpolate_clip(frames, 0, 1, 2, number, profile, mean))


def test_both_sets_of_frames_share_their_midpoints(moving: Clip, mean) -> None:
    frames = moving(3, 2.0)[:, FACE, FACE]
    compute(ingested(frames, apex=1), INTERPOLATOR_PROFILES["paper"], mean)
    together = mean.forwards
    for count in (10, 16):
        interpolate_clip(frames, 0, 1, 2, count, "paper", mean)
    assert together < mean.forwards - together


def test_timeline(ramp: np.ndarray) -> None:
    halves = interpolate_clip(ramp, 0, 3, 4, 9, InterpolatorSettings())
    assert halves[:, 0, 0, 0].tolist() == [0, 20, 40, 60, 80, 100, 120, 140, 160]
    halves = interpolate_clip(ramp, 0, 1, 4, 6, InterpolatorSettings())
    assert halves[:, 0, 0, 0].tolist() == [0, 40, 70, 100, 130, 160]
    uniform = interpolate_clip(ramp, 0, 1, 4, 6, InterpolatorSettings(timeline="uniform"))
    assert uniform[:, 0, 0, 0].tolist() == [0, 32, 64, 96, 128, 160]
    apex = interpolate_clip(ramp, 0, 3, 4, 9, InterpolatorSettings(timeline="apex"))
    assert apex[:, 0, 0, 0].tolist() == [0, 20, 40, 60, 80, 100, 120, 140, 160]
    apex = interpolate_clip(ramp, 0, 2, 4, 7, InterpolatorSettings(timeline="apex"))
    assert apex[:, 0, 0, 0].tolist() == [0, 20, 40, 60, 80, 120, 160]


def test_profiles_differ_in_these_settings_only() -> None:
    corrected, paper = (INTERPOLATOR_PROFILES[name].model_dump() for name in ("corrected", "paper"))
    differ = {name: value for name, value in paper.items() if value != corrected[name]}
    assert differ == {"timeline": "apex", "window": 0, "blend_below": 0, "quantise": "truncate"}


@pytest.mark.parametrize("profile", INTERPOLATOR_PROFILES)
@pytest.mark.parametrize(("frames", "apex"), [(2, 0), (2, 1), (5, 0), (5, 4), (5, 2)])
def test_short_clips_and_apexes_at_an_end(moving: Clip, mean, profile: str, frames: int, apex: int) -> None:
    clip = moving(frames, 0.4)[:, FACE, FACE]
    shown = interpolate_clip(clip, 0, apex, frames - 1, 11, profile, mean)
    np.testing.assert_array_equal(shown[[0, -1]], clip[[0, -1]])


def test_a_window_of_a_longer_clip(ramp: np.ndarray) -> None:
    assert interpolate_clip(ramp, 1, 2, 3, 5)[:, 0, 0, 0].tolist() == [40, 60, 80, 100, 120]


def test_equal_inputs_give_equal_bytes(moving: Clip) -> None:
    inputs = ingested(moving(3, 2.0)[:, FACE, FACE], apex=1)
    first, second = (pack_arrays(compute(inputs, INTERPOLATOR_PROFILES["corrected"])) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("marks", "says"),
    [
        ((0, 0, 0), "same frame"),
        ((2, 1, 4), "order"),
        ((0, 4, 3), "order"),
        ((0, 2, 5), "order"),
        ((-1, 2, 4), "order"),
    ],
)
def test_marks_that_make_no_clip(ramp: np.ndarray, marks: tuple[int, int, int], says: str) -> None:
    with pytest.raises(BadData, match=says):
        interpolate_clip(ramp, *marks)


@pytest.mark.parametrize(
    "frames",
    [
        np.full((5, 36, 36, 3), np.nan),
        np.zeros((5, 36, 36, 3), np.float32),
        np.zeros((5, 36, 36), np.uint8),
        np.zeros((5, 36, 36, 1), np.uint8),
        np.zeros((5, 36, 36, 4), np.uint8),
        np.zeros((5, 20, 36, 3), np.uint8),
        np.zeros((0, 36, 36, 3), np.uint8),
    ],
)
def test_frames_that_are_none(frames: np.ndarray) -> None:
    with pytest.raises(BadData, match=r"expected|not in this order"):
        interpolate_clip(frames, 0, 2, 4)


def test_a_clip_of_one_frame(ramp: np.ndarray) -> None:
    with pytest.raises(BadData, match="nothing to interpolate"):
        compute(ingested(ramp[:1], apex=0), INTERPOLATOR_PROFILES["corrected"])


def test_one_frame_is_no_timeline(ramp: np.ndarray) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        interpolate_clip(ramp, 0, 2, 4, 1)
