"""The adapter: names, shapes and types of the artifact, and the profile differences that belong to the adapter."""

import tracemalloc

import cv2
import numpy as np
import pytest

from services.magnifier import evm
from services.magnifier.stage import STAGE
from shared.errors import BadData
from shared.stage_settings.magnifier import FACTORS, MAGNIFIER_PROFILES, MagnifierSettings

CORRECTED, PAPER = MAGNIFIER_PROFILES["corrected"], MAGNIFIER_PROFILES["paper"]


def inputs(frames: int = 11, height: int = 40, width: int = 32) -> dict[str, dict[str, np.ndarray]]:
    clip = np.random.default_rng(8).integers(0, 256, (frames, height // 4, width // 4, 3), dtype=np.uint8)
    smooth = np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC) for frame in clip])
    return {"interpolator": {"frames": smooth, "fps": np.float64(44.0)}}


def test_its_place_in_the_pipeline() -> None:
    assert (STAGE.name, STAGE.reads, STAGE.consumes, STAGE.produces) == (
        "magnifier",
        ("interpolator",),
        "interpolated",
        "magnified",
    )


def test_ten_frames_make_ten_per_factor() -> None:
    out = STAGE.compute(inputs(10), CORRECTED)
    assert set(out) == {"frames", "factors", "frame_numbers"}
    assert (out["frames"].shape, out["frames"].dtype) == ((10, 10, 40, 32, 3), np.uint8)
    np.testing.assert_array_equal(out["frame_numbers"], np.arange(10))
    assert out["factors"].dtype == np.float64
    np.testing.assert_array_equal(out["factors"], FACTORS)


def test_the_clips_frame_rate_is_obeyed() -> None:
    clip = inputs()
    expected = evm.quantise_frames(evm.magnify_motion(clip["interpolator"]["frames"], FACTORS, "corrected", fps=44.0))
    np.testing.assert_array_equal(STAGE.compute(clip, CORRECTED)["frames"], expected)
    assert (
        evm.quantise_frames(evm.magnify_motion(clip["interpolator"]["frames"], FACTORS, fps=30.0)) != expected
    ).any()


def test_the_times_that_the_interpolator_shows_are_obeyed() -> None:
    """Positions in frames of the clip, evenly spaced or not, or true times of an uneven recording."""
    shown = inputs()["interpolator"]
    uneven = np.array([0, 1, 2, 3, 4, 6, 8, 10, 12, 14, 16.0])
    seconds = uneven / 16 * 10 / 44
    expected = evm.quantise_frames(evm.magnify_motion(shown["frames"], FACTORS, times=seconds))
    for timing in ({"positions": uneven + 5}, {"positions": np.arange(11), "times": seconds + 2}):
        found = STAGE.compute({"interpolator": shown | timing}, CORRECTED)["frames"]
        np.testing.assert_array_equal(found, expected)
    even = {"positions": np.arange(11) * 3.0}
    np.testing.assert_array_equal(
        STAGE.compute({"interpolator": shown | even}, CORRECTED)["frames"], STAGE.compute(inputs(), CORRECTED)["frames"]
    )


def test_a_raw_last_frame_is_numbered_as_the_last() -> None:
    out = STAGE.compute(inputs(10), CORRECTED.model_copy(update={"append_raw_last": True}))
    np.testing.assert_array_equal(out["frame_numbers"], [*range(10), 9])
    np.testing.assert_array_equal(out["frames"][:, 0], out["frames"][:1, 0].repeat(10, 0))


def test_the_paper_appends_the_raw_last_frame() -> None:
    clip = inputs(10)
    assert set(STAGE.compute(clip, PAPER)) == {"frames", "factors"}
    paper = STAGE.compute(clip, PAPER)["frames"]
    lossless = STAGE.compute(clip, PAPER.model_copy(update={"append_raw_last": False}))["frames"]
    assert (paper.shape[1], lossless.shape[1]) == (10, 9)
    np.testing.assert_array_equal(paper[:, :9], lossless)
    np.testing.assert_array_equal(paper[:, 9], np.broadcast_to(clip["interpolator"]["frames"][9], (10, 40, 32, 3)))


def test_jpeg_between_the_stages_is_a_setting() -> None:
    lossless = STAGE.compute(inputs(), CORRECTED)["frames"].astype(int)
    lossy = STAGE.compute(inputs(), CORRECTED.model_copy(update={"jpeg_quality": 75}))["frames"].astype(int)
    fine = STAGE.compute(inputs(), CORRECTED.model_copy(update={"jpeg_quality": 98}))["frames"].astype(int)
    assert 0.5 < np.abs(lossy - lossless).mean() < 16
    assert np.abs(fine - lossless).mean() < np.abs(lossy - lossless).mean()


def test_precision_is_a_setting() -> None:
    """Both precisions give the bytes that `magnify_motion` gives in that type; some of these bytes differ."""
    clip = inputs()
    frames, found = clip["interpolator"]["frames"], {}
    for precision in ("float32", "float64"):
        settings = CORRECTED.model_copy(update={"precision": precision})
        found[precision] = STAGE.compute(clip, settings)["frames"]
        expected = evm.magnify_motion(frames, FACTORS, settings, 44.0, precision)
        np.testing.assert_array_equal(found[precision], evm.quantise_frames(expected))
    assert (found["float32"] != found["float64"]).any()


def test_jpeg_keeps_red_red() -> None:
    red = np.full((3, 16, 16, 3), (200, 30, 40), np.uint8)
    settings = CORRECTED.model_copy(update={"jpeg_quality": 75})
    out = STAGE.compute({"interpolator": {"frames": red, "fps": np.float64(40)}}, settings)["frames"]
    assert np.abs(out.astype(int) - (200, 30, 40)).max() < 6


def test_own_factors() -> None:
    out = STAGE.compute(inputs(), MagnifierSettings(factors=(2.0, 5.0)))
    assert out["frames"].shape[0] == 2
    np.testing.assert_array_equal(out["factors"], [2.0, 5.0])


def test_equal_inputs_give_equal_bytes() -> None:
    first, second = (STAGE.compute(inputs(), CORRECTED)["frames"].tobytes() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("settings", [CORRECTED, PAPER], ids=["corrected", "paper"])
def test_too_few_frames_or_another_shape_is_bad_data(settings: MagnifierSettings) -> None:
    with pytest.raises(BadData, match="2 or more"):
        STAGE.compute(inputs(1), settings)
    with pytest.raises(BadData, match="2 or more"):
        STAGE.compute({"interpolator": {"frames": np.zeros((11, 8, 8), np.uint8), "fps": np.float64(40)}}, settings)


def test_memory_holds_one_factor_in_floats_not_all() -> None:
    """Peak over the input: the result twice (as bytes) and the floats of five clips; all factors would be ten more."""
    clip = inputs(11, 112, 96)
    floats = clip["interpolator"]["frames"].size * 4
    tracemalloc.start()
    out = STAGE.compute(clip, CORRECTED)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * out["frames"].nbytes + 5 * floats
