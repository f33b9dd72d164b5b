"""The head's motion in a flow."""

import numpy as np
import pytest

from shared.spotting.head_fit import HeadModel, interpolate_depth

SHAPE, EYES, STEP = (200, 160), 60.0, 2


@pytest.fixture(scope="module")
def model() -> HeadModel:
    """A round face: the mesh's points lie evenly on half an ellipsoid, the landmarks at plausible places of it."""
    rng = np.random.default_rng(0)
    places = rng.uniform(-1, 1, (478, 2))
    places = places[np.hypot(*places.T) < 1]
    points = np.concatenate([places * (60, 80) + (80, 105), -70 * np.sqrt(1 - (places**2).sum(1))[:, None]], 1)
    landmarks = np.zeros((68, 2))
    landmarks[:17] = np.stack([np.linspace(25, 135, 17), 105 + 75 * np.sin(np.linspace(0, np.pi, 17))], 1)
    landmarks[17:27] = np.stack([np.linspace(40, 120, 10), np.full(10, 60)], 1)
    landmarks[27:36] = (80, 105)
    landmarks[36:42], landmarks[42:48] = (50, 76), (110, 76)
    landmarks[48:68] = (80, 145)
    return HeadModel(points, landmarks, EYES, SHAPE, STEP)


STILL = np.zeros((4, 2))
HEAD = np.array([(1.5, -0.7), (0.3, 0.2), (-0.2, 0.3), (0.9, -0.6)])


def test_shift_roll_scale_turn_and_nod_are_found(model: HeadModel) -> None:
    np.testing.assert_allclose(model.fit_flow(model.draw_field(HEAD), STILL), HEAD, atol=1e-6)


def test_a_forehead_that_rises_is_no_nod(model: HeadModel) -> None:
    """It moves by 0.5 px, as a whole, and the motion fades out above the eyes."""
    flow = np.zeros((*model.grid, 2))
    flow[:, :, 1] = -0.5 * np.clip((36 - np.arange(model.grid[0])) / 6, 0, 1)[:, None]
    flow += np.random.default_rng(1).normal(0, 0.1, flow.shape)
    left = flow - model.draw_field(model.fit_flow(flow.reshape(-1, 2), STILL)).reshape(flow.shape)
    assert left[28:31, 25:55, 1].mean() < -0.75 * 0.5


def test_a_strain_is_followed_in_part_and_no_further_in_the_next_frame(model: HeadModel) -> None:
    strained = np.array([(0.0, 0.0), (0.4, 0.0), (0.0, -0.4), (0.0, 0.0)])
    flow = model.draw_field(strained)
    found = model.fit_flow(flow, STILL)
    assert 0.02 < found[1, 0] < 0.3
    again = found + model.fit_flow(flow - model.draw_field(found), found)
    np.testing.assert_allclose(again[1, 0], found[1, 0], rtol=0.35)


def test_an_expression_hardly_changes_the_fit(model: HeadModel) -> None:
    flow = model.draw_field(HEAD).reshape(*model.grid, 2).copy()
    flow[80:100, 10:25] += (0, 3)  # a jaw on one side
    found = model.fit_flow(flow.reshape(-1, 2), STILL)
    assert np.abs(found - HEAD).max() < 0.05


def test_brows_and_mouth_are_outside_the_fit(model: HeadModel) -> None:
    flow = np.zeros((*model.grid, 2))
    flow[28:32, 22:58] = flow[70:75, 38:42] = (0, 50)
    np.testing.assert_allclose(model.fit_flow(flow.reshape(-1, 2), STILL), 0, atol=1e-9)


def test_depth_is_that_of_the_points_around() -> None:
    points = np.array([(0, 0, -5), (10, 0, -5), (100, 0, 40)], float)
    np.testing.assert_allclose(
        interpolate_depth(points, np.array([(5, 0), (99, 0), (500, 0)], float), 5.0), (-5, 40, 40)
    )
