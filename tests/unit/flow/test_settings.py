"""Each difference between the profiles works as its description says, in both solvers."""

import numpy as np
import pytest
from scipy import ndimage

from services.flow import exact
from services.flow.black_anandan import estimate_flow
from shared.stage_settings.flow import FLOW_PROFILES

CORRECTED, PAPER = FLOW_PROFILES["corrected"], FLOW_PROFILES["paper"]
DIFFERENCES = ["blur_sigma", "border", "interpolation", "levels", "luma", "outside", "rescale", "ridge"]


def moving_pair(shape=(40, 53)):
    """A smooth texture, and the same texture moved 1.3 px to the right and 0.7 px up."""
    noise = ndimage.gaussian_filter(np.random.default_rng(2).normal(size=shape), 2.0, mode="wrap")
    first = 128.0 + 30.0 * noise / noise.std()
    return first[None], ndimage.shift(first, (-0.7, 1.3), order=5, mode="grid-wrap")[None]


def test_the_profiles_differ_in_named_settings_only():
    both = CORRECTED.model_dump(), PAPER.model_dump()
    assert sorted(name for name in both[0] if both[0][name] != both[1][name]) == DIFFERENCES
    assert all(field.description for field in type(CORRECTED).model_fields.values())


# levels: see test_large_motion.py; luma: the stage reads it, see test_stage.py
@pytest.mark.parametrize("name", [name for name in DIFFERENCES if name not in ("levels", "luma")])
def test_both_solvers_know_each_difference(name):
    pair = moving_pair()
    mixed = PAPER.model_copy(update={name: getattr(CORRECTED, name)})
    fast, precise = estimate_flow(*pair, mixed, "fast"), estimate_flow(*pair, mixed, "exact")
    assert np.abs(fast - precise).max() < 0.02
    effect = np.abs(precise - estimate_flow(*pair, "paper", "exact")).max()
    assert effect < 1e-3 if name == "ridge" else effect > 3e-3


def test_border_replicate_keeps_the_edge_as_bright_as_it_is():
    flat = np.full((9, 9), 100.0)
    assert np.allclose(exact.blur_image(flat, CORRECTED), 100.0)
    assert exact.blur_image(flat, PAPER)[0, 0] < 50.0


def test_rescale_own_uses_each_axis_ratio():
    uv = np.ones((2, 10, 10))
    assert np.allclose(exact.resize_flow(uv, (20, 15), CORRECTED.rescale), np.array([1.5, 2.0])[:, None, None])
    assert np.allclose(exact.resize_flow(uv, (20, 15), PAPER.rescale), 2.0)


def test_ridge_makes_a_flat_system_solvable():
    flat, zero = np.full((4, 4), 5.0), np.zeros((2, 4, 4))
    smallest = [
        np.linalg.eigvalsh(exact.build_system(flat, flat, zero, 1.0, s)[0].toarray())[0] for s in (CORRECTED, PAPER)
    ]
    assert smallest[0] == pytest.approx(CORRECTED.ridge, rel=1e-3)
    assert abs(smallest[1]) < 1e-12


def test_cubic_interpolation_reads_a_parabola_exactly():
    x = np.arange(12.0)
    image, uv = np.tile(x**2, (5, 1)), np.stack([np.full((5, 12), 0.5), np.zeros((5, 12))])
    inner = slice(2, 9)
    for profile, off in ((CORRECTED, 0.0), (PAPER, 0.25)):
        pulled, _ = exact.warp_image(image, image, uv, profile)
        assert np.allclose(pulled[:, inner] - (x[inner] + 0.5) ** 2, off)


def test_outside_the_image_nothing_is_measured():
    first, second = np.zeros((4, 6)), np.full((4, 6), 9.0)
    uv = np.stack([np.full((4, 6), 2.0), np.zeros((4, 6))])
    it, _, _, counts = exact.image_derivatives(first, second, uv, CORRECTED)
    assert (counts[:, -2:] == 0).all()
    assert (counts[:, :-2] == 1).all()
    it, _, _, counts = exact.image_derivatives(first, second, uv, PAPER)
    assert (counts == 1).all()
    assert (it[:, -2:] == 0).all()
    assert (it[:, :-2] == 9).all()
