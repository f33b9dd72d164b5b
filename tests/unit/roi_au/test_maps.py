"""Maps: the selected flows, their concatenation, the position of the face, the mean of a cell, strain by hand."""

from typing import Any

import numpy as np
import pytest

from services.roi_au import maps
from shared.apex_pairs import count_pairs_to_apex
from shared.errors import BadData
from shared.stage_settings.roi_au import ROI_AU_PROFILES

FRAME = ROI_AU_PROFILES["corrected"].model_copy(update={"flow_units": "frame"})


def face(scale: float = 1.0, left: float = 0.0, top: float = 0.0) -> np.ndarray:
    """[68, 2] landmarks with eyes 55 px apart at scale 1, amid 160 columns; the mouth is as in `MAP_LANDMARKS`."""
    points = np.tile(np.array([79.5, 90.0]), (68, 1))
    points[36:42], points[42:48] = (52.0, 60.0), (107.0, 60.0)
    points[48], points[54] = (59.5, 117.5), (99.5, 117.5)
    return (points + 0.5) * scale + (left, top) - 0.5


def flow(u: Any, v: Any, rows: int = 200, columns: int = 160) -> np.ndarray:
    """One factor with one pair."""
    return np.stack([np.broadcast_to(u, (rows, columns)), np.broadcast_to(v, (rows, columns))])[None, None].astype(
        float
    )


def test_the_frame_nearest_the_apex_is_the_last() -> None:
    shown = np.arange(10) * 6.0
    assert count_pairs_to_apex(shown, 26) == 4  # 24 is nearest
    assert count_pairs_to_apex(shown, 60) == 9
    assert count_pairs_to_apex(shown, 1) == 1  # at least one


def test_a_raw_copy_of_the_last_frame_is_no_motion() -> None:
    assert count_pairs_to_apex([5, 10, 15, 20, 25, 30, 35, 40, 45, 45], 45) == 8


def test_two_known_shifts_follow_one_another() -> None:
    """First everything moves 3 px to the right; then the pixel at column x moves by x/10 px down."""
    x = np.arange(40.0)
    first = np.stack([np.full((20, 40), 3.0), np.zeros((20, 40))])
    second = np.stack([np.zeros((20, 40)), np.broadcast_to(x / 10, (20, 40))])
    motion = maps.concatenate_flows(np.stack([first, second]))
    assert np.allclose(motion[0], 3)
    assert np.allclose(motion[1], np.broadcast_to(np.minimum(x + 3, 39) / 10, (20, 40)), atol=1e-5)


def test_a_backward_motion_undoes_a_forward_one() -> None:
    forth = np.stack([np.full((30, 30), 2.0), np.full((30, 30), -1.5)])
    assert np.allclose(maps.concatenate_flows(np.stack([forth, -forth, forth])), forth)


def test_strain_by_hand() -> None:
    """u = 0.3 x + 0.1 y, v = 0.5 x - 0.2 y: exx 0.3, eyy -0.2, exy 0.3."""
    y, x = np.indices((4, 5)).astype(float)
    expected = (0.3**2 + 0.2**2 + 2 * 0.3**2) ** 0.5
    assert np.allclose(maps.strain_magnitude(np.stack([0.3 * x + 0.1 * y, 0.5 * x - 0.2 * y])), expected)
    turned = np.stack([-0.1 * y, 0.1 * x])  # a small turn strains nothing
    assert np.allclose(maps.strain_magnitude(turned), 0)


def test_a_cell_is_the_mean_of_its_pixels() -> None:
    weights = maps.pixel_shares(np.array([0.0, 2.5, 5.0]), 5)
    assert np.allclose(weights, [[0.4, 0.4, 0.2, 0, 0], [0, 0, 0.2, 0.4, 0.4]])
    beyond = maps.pixel_shares(np.array([-4.0, -2.0, 1.0, 5.0, 9.0]), 5)
    assert np.allclose(beyond, [[1, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0.25, 0.25, 0.25, 0.25], [0, 0, 0, 0, 1]])


def test_eyes_and_mouth_lie_at_their_places_whatever_the_faces_size_and_place() -> None:
    for scale, left, top in ((1.0, 0.0, 0.0), (1.3, 12.0, -4.0), (0.5, 3.0, 40.0)):
        columns, rows, cells_per_px = maps.map_cell_edges(face(scale, left, top))
        assert cells_per_px == pytest.approx(1 / 5 / scale)
        eye = (np.array([52.5, 60.5]) * scale + (left, top) - (columns[0], rows[0])) * cells_per_px
        assert eye == pytest.approx([8.5, 9.0])


def test_motion_has_the_unit_of_the_patches() -> None:
    moved = flow(2.0, -1.0)
    small, large = maps.motion_maps(moved, face(), 1), maps.motion_maps(2 * flow(2.0, -1.0, 400, 320), face(2.0), 1)
    assert small.shape == (1, 3, 28, 28)
    assert small.dtype == np.float32
    assert np.allclose(small[0, :, 5, 5], [2, -1, 0])
    assert np.allclose(small, large)
    assert np.allclose(maps.motion_maps(2 * flow(2.0, -1.0, 400, 320), face(2.0), 1, FRAME)[0, :, 5, 5], [4, -2, 0])


def test_strain_is_that_of_the_motion_whatever_the_unit() -> None:
    y, x = np.indices((200, 160)).astype(float)
    moved = flow(0.02 * x, 0.01 * y)
    for settings in (ROI_AU_PROFILES["corrected"], FRAME, ROI_AU_PROFILES["paper"]):
        made = maps.motion_maps(moved, face(0.9, 5, 5), 1, settings)
        assert np.allclose(made[0, 2, 6:20, 4:24], (0.02**2 + 0.01**2) ** 0.5, rtol=1e-4)


def test_a_mirrored_flow_gives_a_mirrored_map() -> None:
    flows = np.random.default_rng(0).normal(size=(2, 3, 2, 200, 160))
    turned = flows[..., ::-1].copy()
    turned[:, :, 0] *= -1
    made, mirrored = (maps.motion_maps(each, face(), 2) for each in (flows, turned))  # the face is its own mirror image
    expected = made[..., ::-1].copy()
    expected[:, 0] *= -1
    assert np.allclose(mirrored, expected, atol=1e-5)


def test_only_the_pairs_up_to_the_apex_count_and_each_factor_has_its_own() -> None:
    flows = np.zeros((2, 3, 2, 200, 160))
    flows[0, :, 0], flows[1, :, 0] = np.array([1.0, 2.0, 50.0])[:, None, None], 0.5
    made = maps.motion_maps(flows, face(), 2)
    assert np.allclose(made[0, 0], 3)
    assert np.allclose(made[1, 0], 1)


def test_faces_that_are_too_small_are_refused() -> None:
    with pytest.raises(BadData, match="expected eyes at least 8 px apart"):
        maps.motion_maps(flow(1.0, 1.0), face(0.1), 1)
    with pytest.raises(BadData, match="expected finite flows"):
        maps.motion_maps(flow(np.nan, 1.0), face(), 1)
