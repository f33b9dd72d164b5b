"""The motion of a head with depth: its fields, and the surface that several frames tell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.registration import head_model

SHAPE = (60, 48)


def surface_values(surface: np.ndarray) -> np.ndarray:
    _, x, y = head_model.light_fields(SHAPE)
    return np.tensordot(surface, np.stack([x, y, x * x, x * y, y * y]), 1)


def test_positions_are_shares_of_the_longer_side_from_the_middle() -> None:
    x, y = head_model.centred_positions((5, 3))
    np.testing.assert_allclose(x, [[-0.2, 0, 0.2]])
    np.testing.assert_allclose(y, [[-0.4], [-0.2], [0], [0.2], [0.4]])


@given(st.integers(0, 999))
def test_turn_and_nod_move_points_by_their_depth(seed: int) -> None:
    surface = np.random.default_rng(seed).normal(size=5)
    fields = np.tensordot(head_model.rigid_terms(surface).T, head_model.free_fields(SHAPE), 1)
    one, x, y = head_model.light_fields(SHAPE)
    zero, depth = np.zeros(SHAPE), surface_values(surface)
    expected = [(one, zero), (zero, one), (-y, x), (x, y), (depth, zero), (zero, depth)]
    np.testing.assert_allclose(fields, np.array(expected), atol=1e-12)


def rigid_motions(surface: np.ndarray, count: int, seed: int) -> np.ndarray:
    motions = np.random.default_rng(seed).normal(size=(count, head_model.RIGID_TERMS))
    return np.asarray(motions @ head_model.rigid_terms(surface).T)


@pytest.mark.parametrize("seed", range(5))
def test_the_surface_of_a_turning_head_is_found(seed: int) -> None:
    """Up to its scale, since depth times angle is all that a picture tells. Its vertex is not in the middle."""
    surface = np.array([0.3, -0.2, -1.0, 0.1, -0.4])
    motions = rigid_motions(surface, 9, seed) + np.random.default_rng(seed + 50).normal(0, 0.01, (9, 12))
    found = head_model.fit_surface(motions, np.repeat(np.eye(12)[None], 9, 0))
    assert alikeness(found, surface) > 0.99


def alikeness(first: np.ndarray, second: np.ndarray) -> float:
    return abs(first @ second) / float(np.linalg.norm(first) * np.linalg.norm(second))


def test_an_uncertain_frame_counts_less() -> None:
    surface = np.array([0.0, 0.2, -1.0, 0.0, -0.3])
    motions = rigid_motions(surface, 8, 4)
    motions[3] += 5 * np.random.default_rng(1).normal(size=12)
    precisions = np.repeat(np.eye(12)[None], 8, 0)
    precisions[3] *= 1e-6
    assert alikeness(head_model.fit_surface(motions, precisions), surface) > 0.99


def test_a_head_that_rests_has_the_surface_of_a_mean_face() -> None:
    found = head_model.fit_surface(np.zeros((4, 12)), np.repeat(np.eye(12)[None], 4, 0))
    np.testing.assert_array_equal(found, head_model.MEAN_SURFACE)


def test_one_frame_is_enough() -> None:
    surface = np.array([0.1, 0, -1, 0, -0.3])
    found = head_model.fit_surface(rigid_motions(surface, 1, 2), np.eye(12)[None])
    assert alikeness(found, surface) > 0.95


def test_a_rigid_motion_is_its_own_projection() -> None:
    surface = np.array([0.3, -0.2, -1.0, 0.1, -0.4])
    rigid = np.array([0.1, 0.2, -0.1, 0.05, 0.02, -0.03])
    metric = np.diag(np.arange(1.0, 13))
    found = head_model.project_motion(head_model.rigid_terms(surface) @ rigid, metric, surface)
    np.testing.assert_allclose(found, rigid, atol=1e-12)
