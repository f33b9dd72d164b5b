"""Patches against a flow whose values are its own coordinates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.roi_au.roi import cut_flow_patches
from shared.errors import BadData
from shared.regions_of_interest import ROI
from shared.stage_settings.roi_au import ROI_AU_PROFILES

REACH = np.arange(-3, 4)


def coordinates(height: int, width: int) -> np.ndarray:
    """[1, 2, H, W]: u = column, v = row."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows])[None].astype(np.float32)


def points(height: int, width: int, seed: int = 0, margin: int = 4) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.integers([margin, margin], [width - margin, height - margin], (68, 2)).astype(np.float64)


def test_thirty_points_of_brows_and_mouth() -> None:
    assert ROI.tolist() == [*range(17, 27), *range(48, 68)]


@given(st.integers(9, 60), st.integers(9, 60), st.integers(0, 99))
def test_values_are_coordinates(height: int, width: int, seed: int) -> None:
    landmarks = points(height, width, seed)
    (cut,) = cut_flow_patches(coordinates(height, width), landmarks)
    assert cut.shape == (2, 30, 7, 7)
    assert cut.dtype == np.float32
    for patch_u, patch_v, (x, y) in zip(cut[0], cut[1], landmarks[ROI], strict=True):
        assert (patch_u == x + REACH[None, :]).all()
        assert (patch_v == y + REACH[:, None]).all()


def test_paper_takes_x_for_the_row() -> None:
    landmarks = points(50, 50)
    swapped = ROI_AU_PROFILES["corrected"].model_copy(update={"patch_axes": "row-is-x"})
    for profile in ("paper", swapped):
        (cut,) = cut_flow_patches(coordinates(50, 50), landmarks, profile)
        assert (cut == cut_flow_patches(coordinates(50, 50), landmarks[:, ::-1])[0]).all()
        assert cut[1, 0, 3, 3] == landmarks[17, 0]


@given(st.floats(-20, 60), st.floats(-20, 60))
def test_the_border_is_replicated(x: float, y: float) -> None:
    landmarks = np.full((68, 2), (x, y))
    (cut,) = cut_flow_patches(coordinates(30, 40), landmarks)
    assert (cut[0, 0] == np.clip(np.floor(x + 0.5) + REACH, 0, 39)[None, :]).all()
    assert (cut[1, 0] == np.clip(np.floor(y + 0.5) + REACH, 0, 29)[:, None]).all()


def test_landmarks_are_rounded_to_the_nearest_px() -> None:
    landmarks = np.full((68, 2), (10.49, 20.5))
    (cut,) = cut_flow_patches(coordinates(40, 40), landmarks)
    assert cut[:, 0, 3, 3].tolist() == [10, 21]


@pytest.mark.parametrize("place", [(2, 60), (60, 2), (125, 60), (60, 125), (-2, 60)])
def test_paper_refuses_where_the_original_fails(place: tuple[int, int]) -> None:
    landmarks = points(128, 128)
    landmarks[50] = place
    refused = ROI_AU_PROFILES["corrected"].model_copy(update={"border": "refuse"})
    for profile in ("paper", refused):
        with pytest.raises(BadData, match=r"every patch inside the flow, got landmark 50 at (row|column) .* of 128"):
            cut_flow_patches(coordinates(128, 128), landmarks, profile)
    landmarks[50] = (3, 124)  # the last places that it takes
    assert cut_flow_patches(coordinates(128, 128), landmarks, "paper").shape == (1, 2, 30, 7, 7)


def test_paper_counts_from_the_end_far_outside() -> None:
    landmarks = points(128, 128)
    landmarks[17] = (-10, 60)  # img[-13:-6] is a full patch at the other side of the face
    (cut,) = cut_flow_patches(coordinates(128, 128), landmarks, "paper")
    assert cut[1, 0, :, 0].tolist() == list(range(115, 122))


def test_points_that_are_no_roi_may_lie_anywhere() -> None:
    landmarks = points(128, 128)
    landmarks[0] = (-40, 300)
    assert cut_flow_patches(coordinates(128, 128), landmarks, "paper").shape == (1, 2, 30, 7, 7)


def test_any_leading_shape_and_float16() -> None:
    flows = np.random.default_rng(1).normal(size=(3, 9, 2, 30, 32)).astype(np.float16)
    landmarks = points(30, 32)
    cut = cut_flow_patches(flows, landmarks)
    assert cut.shape == (3, 9, 2, 30, 7, 7)
    assert (cut[2] == cut_flow_patches(flows[2], landmarks)).all()
    assert cut_flow_patches(flows[0, 0], landmarks).shape == (2, 30, 7, 7)


def test_the_flow_is_not_changed() -> None:
    flows = coordinates(30, 30)
    cut_flow_patches(flows, points(30, 30))[:] = -1
    assert (flows == coordinates(30, 30)).all()


@pytest.mark.parametrize("shape", [(30, 30), (9, 30, 30, 2), (9, 3, 30, 30), (0, 2, 30, 30), (9, 2, 0, 30)])
def test_wrong_flows(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadData, match=r"expected flows of shape ...x2xHxW.*got " + "x".join(map(str, shape))):
        cut_flow_patches(np.zeros(shape), points(30, 30))


@pytest.mark.parametrize("shape", [(30, 2), (68, 3), (2, 68), (1, 68, 2)])
def test_wrong_landmarks(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadData, match=r"expected landmarks of shape 68x2 .*got " + "x".join(map(str, shape))):
        cut_flow_patches(coordinates(30, 30), np.ones(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(value: float) -> None:
    flows = np.zeros((4, 2, 30, 30))
    flows[2, 1, 29, 0] = value
    with pytest.raises(BadData, match=r"in flow \[2\]"):
        cut_flow_patches(flows, points(30, 30))
    landmarks = points(30, 30)
    landmarks[3, 1] = value
    with pytest.raises(BadData, match="expected finite landmarks"):
        cut_flow_patches(coordinates(30, 30), landmarks)


def test_unknown_profile() -> None:
    with pytest.raises(ValueError, match="Unknown profile 'best'"):
        cut_flow_patches(coordinates(30, 30), points(30, 30), "best")
