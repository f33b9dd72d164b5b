"""The rigid motion of a head: which motions it covers, and which it does not."""

import numpy as np
import pytest
import torch

from services.trainer.learners.augmentation import MIRRORED_ROIS
from services.trainer.models.head_motion import ROI_PLACES, HeadMotion, map_cell_positions, similarity_basis

PLACES = {"map": map_cell_positions(28), "rois": ROI_PLACES}


def flows(places: torch.Tensor) -> dict[str, torch.Tensor]:
    """(u, v) [2,n] of a plane that is moved, or turned or scaled (to first order) about a point off its middle."""
    x, y = places.float().T
    return {
        "moved": torch.stack([torch.full_like(x, 0.8), torch.full_like(y, -1.7)]),
        "turned": 0.05 * torch.stack([-(y + 5), x - 3]),
        "scaled": 0.04 * torch.stack([x - 3, y + 5]),
    }


@pytest.mark.parametrize("where", PLACES)
def test_the_basis_is_orthonormal_and_holds_moving_turning_and_scaling(where):
    basis = similarity_basis(PLACES[where]).double()
    assert basis.shape == (2 * len(PLACES[where]), 4)
    assert torch.allclose(basis.T @ basis, torch.eye(4, dtype=torch.float64), atol=2e-7, rtol=0)  # entries are float32
    for flow in flows(PLACES[where]).values():
        flat = flow.flatten().double()
        assert torch.allclose(basis @ (basis.T @ flat), flat, atol=1e-5)


def test_half_of_a_shear_is_a_turn_and_the_rest_is_left():
    y = map_cell_positions(28)[:, 1].double()
    sheared = torch.cat([y - y.mean(), torch.zeros_like(y)])
    basis = similarity_basis(map_cell_positions(28)).double()
    left = sheared - basis @ (basis.T @ sheared)
    assert left.norm() == pytest.approx(float(sheared.norm()) / 2**0.5, rel=1e-6)


@pytest.mark.parametrize("kind", ["moved", "turned", "scaled"])
def test_any_number_of_flows_at_once(kind):
    flow = flows(ROI_PLACES)[kind]
    many = torch.stack([flow, 2 * flow, torch.zeros_like(flow)]).expand(5, 3, 2, 30)
    assert torch.allclose(HeadMotion(ROI_PLACES)(many), many, atol=1e-5)


def test_columns_of_a_map_are_x_and_its_rows_y():
    assert map_cell_positions(28)[:3].tolist() == [[0, 0], [1, 0], [2, 0]]
    assert map_cell_positions(28)[28].tolist() == [0, 1]


def test_places_of_the_rois_are_their_own_mirror_image_brows_above_lips():
    places = ROI_PLACES.numpy()
    assert places.shape == (30, 2)
    assert np.array_equal(places[MIRRORED_ROIS] * [-1, 1], places)
    assert places[:10, 1].max() < places[10:, 1].min()  # y runs down
    assert np.all(np.diff(places[:10, 0]) > 0)  # from the image's left to its right, as the ROIs are numbered
