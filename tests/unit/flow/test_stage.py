"""The flow's adapter."""

import numpy as np
import pytest

from services.flow.black_anandan import estimate_flow
from services.flow.stage import STAGE, compute, rgb_to_luma
from shared.errors import BadData
from shared.stage_settings.flow import FLOW_PROFILES

SETTINGS = FLOW_PROFILES["corrected"]


def frames(factors=2, count=3, shape=(18, 21), seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (factors, count, 6, 7, 3), dtype=np.uint8)
    return coarse.repeat(3, axis=2).repeat(3, axis=3)[:, :, : shape[0], : shape[1]]


def test_names():
    assert (STAGE.name, STAGE.consumes, STAGE.produces, STAGE.reads) == ("flow", "magnified", "flows", ("magnifier",))


def test_every_pair_of_every_factor():
    inputs = {"frames": frames(), "factors": np.array([1.2, 3.0])}
    out = compute({"magnifier": inputs}, SETTINGS)
    assert (out["flows"].dtype, out["flows"].shape) == (np.float16, (2, 2, 2, 18, 21))
    assert (out["factors"] == inputs["factors"]).all()
    for f in range(2):
        second, third = (rgb_to_luma(inputs["frames"][f, k : k + 1], "exact") for k in (1, 2))
        one = estimate_flow(second, third, SETTINGS)
        assert np.array_equal(out["flows"][f, 1], one[0].astype(np.float16))


def test_the_numbers_of_the_frames_are_passed_on():
    inputs = {"frames": frames(), "factors": np.array([1.2, 3.0])}
    assert set(compute({"magnifier": inputs}, SETTINGS)) == {"flows", "factors"}
    numbered = compute({"magnifier": inputs | {"frame_numbers": np.array([0, 2, 3])}}, SETTINGS)
    assert numbered["frame_numbers"].tolist() == [0, 2, 3]
    mapped = compute({"magnifier": inputs | {"shape_maps": np.ones((1, 3, 128, 128), np.float32)}}, SETTINGS)
    assert (mapped["shape_maps"] == 1).all()


def test_luma_is_rounded_as_the_weights_say():
    pixels = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [7, 7, 7]], np.uint8)
    assert rgb_to_luma(pixels).tolist() == [76, 150, 29, 255, 7]
    exact = rgb_to_luma(pixels, "exact")
    assert exact.dtype == np.float32
    assert exact == pytest.approx([76.229, 149.696, 29.075, 255, 7], abs=1e-3)


def test_the_profiles_differ_in_rounding():
    inputs = {"magnifier": {"frames": frames(1), "factors": np.ones(1)}}
    exact = compute(inputs, SETTINGS)["flows"]
    rounded = compute(inputs, SETTINGS.model_copy(update={"luma": "rounded"}))["flows"]
    assert 0 < np.median(np.abs(exact.astype(float) - rounded)) < 0.1
    assert FLOW_PROFILES["paper"].luma == "rounded"


def test_a_single_frame_is_bad_data():
    with pytest.raises(BadData, match=r"Expected .*at least two moments, got 1; .*again"):
        compute({"magnifier": {"frames": frames()[:, :1], "factors": np.ones(2)}}, SETTINGS)
