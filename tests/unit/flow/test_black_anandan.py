"""Properties that any optical flow should have, on both solvers where that is quick."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings, strategies
from scipy import ndimage

from services.flow.black_anandan import estimate_flow
from shared.errors import BadData
from shared.stage_settings.flow import FLOW_PROFILES

CORRECTED, PAPER = FLOW_PROFILES["corrected"], FLOW_PROFILES["paper"]


def texture(seed=0, shape=(48, 56), sigma=2.0):
    """Smooth random grey around 128."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), sigma, mode="wrap")
    return 128.0 + 30.0 * noise / noise.std()


def shifted(image, u, v):
    return ndimage.shift(image, (v, u), order=5, mode="grid-wrap")


@settings(max_examples=12)
@given(seed=strategies.integers(0, 99), u=strategies.floats(-1.5, 1.5), v=strategies.floats(-1.5, 1.5))
def test_known_shift(seed, u, v):
    first = texture(seed, sigma=2.5)
    found = estimate_flow(first[None], shifted(first, u, v)[None])[0, :, 8:-8, 8:-8]
    assert np.abs(found.mean(axis=(1, 2)) - (u, v)).max() < 0.03
    assert np.hypot(found[0] - u, found[1] - v).mean() < 0.05


@pytest.mark.parametrize("solver", ["fast", "exact"])
@pytest.mark.parametrize("profile", ["corrected", "paper"])
def test_identical_images_do_not_move(profile, solver):
    image = texture()[None]
    assert np.abs(estimate_flow(image, image, profile, solver)).max() < 1e-9


@pytest.mark.parametrize("axis", [1, 2])
def test_mirrored_pair_has_mirrored_flow(axis):
    """On one level; the pyramid's nearest-sample shrinking takes one side of the middle."""
    one_level = CORRECTED.model_copy(update={"levels": 1})
    first, second = texture(3)[None], shifted(texture(3), 0.7, -0.4)[None]
    straight = estimate_flow(first, second, one_level)
    mirrored = np.flip(estimate_flow(np.flip(first, axis), np.flip(second, axis), one_level), axis + 1).copy()
    mirrored[:, 1 if axis == 1 else 0] *= -1
    assert np.abs(straight - mirrored).max() < 0.01


def test_batch_equals_single_pairs_whatever_the_threads():
    first = np.stack([texture(seed) for seed in range(5)])
    second = np.stack([shifted(image, 0.5, 0.2 * i) for i, image in enumerate(first)])
    batch = estimate_flow(first, second)
    singles = np.concatenate([estimate_flow(first[i : i + 1], second[i : i + 1]) for i in range(5)])
    assert batch.tobytes() == singles.tobytes()
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        assert estimate_flow(first, second).tobytes() == batch.tobytes()
    finally:
        numba.set_num_threads(threads)


PATTERNS = {
    "black": lambda shape: np.zeros(shape, np.uint8),
    "white": lambda shape: np.full(shape, 255, np.uint8),
    "checks": lambda shape: np.indices(shape).sum(0).astype(np.uint8) % 2 * 255,
    "noise": lambda shape: np.random.default_rng(0).choice([0, 255], shape).astype(np.uint8),
}


@pytest.mark.parametrize("profile", ["corrected", "paper"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3), (7, 5), (51, 37)])
def test_never_nan(shape, profile):
    images = {name: make(shape)[None] for name, make in PATTERNS.items()}
    for first in images.values():
        for second in images.values():
            uv = estimate_flow(first, second, profile)
            assert uv.shape == (1, 2, *shape)
            assert np.isfinite(uv).all()
    again = estimate_flow(images["noise"], images["checks"], "corrected", "exact")
    assert np.isfinite(again).all()


@pytest.mark.parametrize("solver", ["fast", "exact"])
@pytest.mark.parametrize("levels", [(0, 0), (90, 90), (0, 255)])
def test_flat_images_have_zero_flow(solver, levels):
    first, second = (np.full((1, 20, 17), level, np.uint8) for level in levels)
    assert not estimate_flow(first, second, "corrected", solver).any()


def test_flat_area_stays_still_when_nothing_moves_near_it():
    image = np.full((1, 40, 40), 80.0)
    image[:, :, :20] += texture(1, (40, 20))
    moved = image.copy()
    moved[:, :, 30:] += 40.0  # brighter, not moved: nothing to follow there
    assert np.abs(estimate_flow(image, moved)[:, :, :, :8]).max() < 0.05
    assert np.isfinite(estimate_flow(image, moved)).all()


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4)), np.zeros((1, 0, 4)), np.full((1, 4, 4), np.nan), np.zeros((1, 4, 5))]
)
def test_wrong_input_is_refused_with_a_sentence(bad):
    with pytest.raises(ValueError, match="Expected"):
        estimate_flow(bad, np.zeros((1, 4, 4)))


def test_empty_batch():
    empty = np.zeros((0, 12, 10), np.uint8)
    assert estimate_flow(empty, empty).shape == (0, 2, 12, 10)


def test_exact_solver_names_what_makes_a_system_singular():
    flat = PAPER.model_copy(update={"border": "replicate"})
    first, second = np.full((1, 9, 9), 10, np.uint8), np.full((1, 9, 9), 20, np.uint8)
    assert not estimate_flow(first, second, flat, "exact").any()  # nothing pulls, so nothing has to be solved
    second[0, 4, 4] = 60
    without_smoothness = flat.model_copy(update={"lambda_robust": 0.0, "lambda_quadratic": 0.0})
    with pytest.raises(BadData, match="ridge"):
        estimate_flow(first, second, without_smoothness, "exact")
