"""The stage: its inputs, its results, and refused inputs."""

import numpy as np
import pytest

from services.roi_au.landmarks import detect_landmarks
from services.roi_au.stage import STAGE
from shared.errors import BadData
from shared.stage import Arrays
from shared.stage_settings.roi_au import ROI_AU_PROFILES

FACTORS = np.array([1.2, 1.4, 3.0])


@pytest.fixture(scope="module")
def inputs(onset: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    frames = np.repeat(onset[None], 11, axis=0)
    frames[1:] = 0  # only the onset frame may be looked at
    flows = np.random.default_rng(0).normal(size=(3, 9, 2, *onset.shape[:2])).astype(np.float16)
    au_frames = np.repeat(onset[None], 16, axis=0)
    shown = {"frames": frames, "au_frames": au_frames, "positions": np.arange(11) * 4.0, "apex": np.array(17.0)}
    return {"interpolator": shown, "flow": {"flows": flows, "factors": FACTORS}}


def with_flows(inputs: dict[str, dict[str, np.ndarray]], flows: np.ndarray) -> dict[str, Arrays]:
    return {**inputs, "flow": {"flows": flows, "factors": FACTORS}}


def test_the_contract() -> None:
    assert (STAGE.name, STAGE.consumes, STAGE.produces) == ("roi-au", "flows", "features")
    assert STAGE.reads == ("interpolator", "flow")


@pytest.mark.parametrize("profile", ["corrected", "paper"])
def test_arrays(inputs: dict[str, dict[str, np.ndarray]], profile: str) -> None:
    made = STAGE.compute(inputs, ROI_AU_PROFILES[profile])
    shapes = {name: (array.shape, array.dtype) for name, array in made.items()}
    assert shapes == {
        "patches": ((3, 9, 2, 30, 7, 7), np.float32),
        "maps": ((3, 3, 28, 28), np.float32),
        "clip": ((16, 144, 144, 3), np.uint8),
        "landmarks": ((68, 2), np.float64),
        "factors": ((3,), np.float64),
    }
    assert (made["landmarks"] == detect_landmarks(inputs["interpolator"]["frames"][0], profile)).all()
    assert (made["factors"] == FACTORS).all()
    again = STAGE.compute(inputs, ROI_AU_PROFILES[profile])
    assert all(made[name].tobytes() == again[name].tobytes() for name in made)


@pytest.mark.parametrize("profile", ["corrected", "paper"])
def test_patches_of_shape_maps(inputs: dict[str, dict[str, np.ndarray]], profile: str) -> None:
    """The map's place is its value, so that a patch tells where it was cut; in `paper`, x is the row."""
    rows, columns = np.mgrid[:128, :128]
    maps = np.broadcast_to(rows * 1000 + columns, (3, 2, 128, 128)).astype(np.float32)
    made = STAGE.compute({**inputs, "flow": {**inputs["flow"], "shape_maps": maps}}, ROI_AU_PROFILES[profile])
    patches = made["shape_patches"]
    assert (patches.shape, patches.dtype) == ((3, 2, 30, 7, 7), np.float32)
    height, width = inputs["interpolator"]["frames"].shape[1:3]
    x, y = (made["landmarks"][17] + 0.5) * 128 / (width, height) - 0.5  # the first point of a brow
    row, column = np.floor(np.array((x, y) if profile == "paper" else (y, x)) + 0.5)
    assert patches[0, 0, 0, 3, 3] == row * 1000 + column
    assert patches[2, 1, 0, 0, 6] == (row - 3) * 1000 + column + 3


def test_maps_of_all_flows_are_optional(inputs: dict[str, dict[str, np.ndarray]]) -> None:
    numbers = np.arange(27, dtype=np.float16).reshape(3, 9)
    flows = np.broadcast_to(numbers[:, :, None, None, None], inputs["flow"]["flows"].shape)
    settings = ROI_AU_PROFILES["corrected"].model_copy(update={"flow_units": "frame", "flow_maps": True})
    made = STAGE.compute(with_flows(inputs, flows), settings)["flow_maps"]
    assert (made.shape, made.dtype) == ((3, 9, 2, 28, 28), np.float16)
    assert np.allclose(made, numbers[:, :, None, None, None], rtol=1e-3)
    grid = STAGE.compute(with_flows(inputs, flows), settings.model_copy(update={"flow_units": "grid"}))
    np.testing.assert_allclose(
        grid["maps"][2, 0] / grid["flow_maps"][2, :3, 0].astype(float).sum(0), 1, rtol=1e-2
    )  # three flows of one shift each lead to the apex


def test_every_factor_and_pair_keeps_its_place(inputs: dict[str, dict[str, np.ndarray]]) -> None:
    numbers = np.arange(27, dtype=np.float16).reshape(3, 9)
    flows = np.broadcast_to(numbers[:, :, None, None, None], inputs["flow"]["flows"].shape)
    settings = ROI_AU_PROFILES["corrected"].model_copy(update={"flow_units": "frame"})
    made = STAGE.compute(with_flows(inputs, flows), settings)["patches"]
    assert np.allclose(made, numbers[:, :, None, None, None, None], rtol=1e-6)


def test_the_map_shows_the_motion_up_to_the_frame_nearest_the_apex(inputs: dict[str, dict[str, np.ndarray]]) -> None:
    flows = np.zeros_like(inputs["flow"]["flows"])
    flows[:, :, 0] = np.arange(1, 10)[:, None, None]  # the apex is at 17, the frame at 16 is nearest
    settings = ROI_AU_PROFILES["corrected"].model_copy(update={"flow_units": "frame"})
    from_onset = with_flows(inputs, flows)
    from_onset["flow"] = {**from_onset["flow"], "frame_numbers": np.arange(10)}  # 0, 4 .. 36
    made = STAGE.compute(from_onset, settings)["maps"]
    assert np.allclose(made[:, 0], 1 + 2 + 3 + 4)
    assert np.allclose(made[:, 1:], 0)
    without_onset = STAGE.compute(with_flows(inputs, flows), settings)["maps"]  # as in profile `paper`: 4, 8 .. 40
    assert np.allclose(without_onset[:, 0], 1 + 2 + 3)


def test_an_apex_beside_the_onset_is_not_shown_as_the_way_back(inputs: dict[str, dict[str, np.ndarray]]) -> None:
    flows = np.full_like(inputs["flow"]["flows"], -1)
    flows[:, 0] = 5  # all of the motion lies in the first step
    shown = {**inputs["interpolator"], "positions": np.arange(10) * 4.0, "apex": np.array(4.0)}
    flow = {"flows": flows, "factors": FACTORS, "frame_numbers": np.arange(10)}
    settings = ROI_AU_PROFILES["corrected"].model_copy(update={"flow_units": "frame"})
    made = STAGE.compute({"interpolator": shown, "flow": flow}, settings)["maps"]
    assert np.allclose(made[:, :2], 5)


@pytest.mark.parametrize("numbers", [np.arange(9), np.arange(2, 12), np.arange(-1, 9)])
def test_frame_numbers_that_do_not_fit(inputs: dict[str, dict[str, np.ndarray]], numbers: np.ndarray) -> None:
    flow = {**inputs["flow"], "frame_numbers": numbers}
    with pytest.raises(BadData, match="the 10 frames that 9 flows lie between, each from 0 to 10, got"):
        STAGE.compute({**inputs, "flow": flow}, ROI_AU_PROFILES["corrected"])


def test_the_frame_nearest_the_apex_of_an_uneven_clip_is_that_in_time(inputs: dict[str, dict[str, np.ndarray]]) -> None:
    """By frames of the clip three flows lead to the frame nearest the apex, by seconds two."""
    shown = {**inputs["interpolator"], "times": np.arange(11) * 0.02, "apex_time": np.array(0.062)}
    flows = np.zeros_like(inputs["flow"]["flows"])
    flows[:, :, 0] = np.arange(1, 10)[:, None, None]
    settings = ROI_AU_PROFILES["corrected"].model_copy(update={"flow_units": "frame"})
    made = STAGE.compute({**with_flows(inputs, flows), "interpolator": shown}, settings)["maps"]
    assert np.allclose(made[:, 0], 1 + 2)


def test_nan_names_factor_and_pair(inputs: dict[str, dict[str, np.ndarray]]) -> None:
    flows = inputs["flow"]["flows"].copy()
    flows[1, 4, 0, -1, -1] = np.nan
    with pytest.raises(BadData, match=r"factor 1.4, pair 4; run magnifier"):
        STAGE.compute(with_flows(inputs, flows), ROI_AU_PROFILES["corrected"])
    flows[0, 8, 1, 0, 0] = np.inf
    with pytest.raises(BadData, match=r"factor 1.2, pair 8"):
        STAGE.compute(with_flows(inputs, flows), ROI_AU_PROFILES["corrected"])


@pytest.mark.parametrize("cut", [np.s_[:2], np.s_[:, :, :1], np.s_[..., :-1], np.s_[0], np.s_[0, 0, 0, 0, 0]])
def test_flows_that_do_not_fit(inputs: dict[str, dict[str, np.ndarray]], cut: object) -> None:
    with pytest.raises(BadData, match="expected flows of the onset frame's size for every factor, 3x"):
        STAGE.compute(with_flows(inputs, inputs["flow"]["flows"][cut]), ROI_AU_PROFILES["corrected"])
