"""The pyramid against a literal one, made of zero-stuffing and mirrored correlation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.magnifier import pyramid
from tests.unit.magnifier.laplacian import laplacian_bands

TAPS = np.array([1, 4, 6, 4, 1]) / 16
SIZES = [(8, 10), (7, 9), (8, 9), (5, 6), (6, 5), (7, 6), (5, 40), (33, 18)]


def correlated(lines: np.ndarray) -> np.ndarray:
    padded = np.pad(lines, ((0, 0), (2, 2)), mode="reflect")
    return np.stack([np.correlate(line, TAPS, "valid") for line in padded])


def literal_down(image: np.ndarray) -> np.ndarray:
    return correlated(correlated(image)[:, ::2].T)[:, ::2].T


def literal_up(image: np.ndarray, height: int, width: int) -> np.ndarray:
    stuffed = np.zeros((height, width))
    stuffed[::2, ::2] = image
    return 4 * correlated(correlated(stuffed.T).T)


@pytest.mark.parametrize("size", SIZES)
def test_down_and_up_mirror_at_the_borders_at_even_and_odd_sizes(size: tuple[int, int]) -> None:
    image = np.random.default_rng(2).random(size)
    coarse = literal_down(image)
    np.testing.assert_allclose(pyramid.reduce_image(image), coarse, atol=1e-15)
    np.testing.assert_allclose(pyramid.expand_image(coarse, *size), literal_up(coarse, *size), atol=1e-14)


@pytest.mark.parametrize(
    ("size", "bands"), [((112, 96), 6), ((64, 64), 5), ((91, 85), 6), ((224, 280), 7), ((5, 400), 2), ((4, 4), 1)]
)
def test_band_count(size: tuple[int, int], bands: int) -> None:
    assert pyramid.band_count(*size) == bands


def test_sizes_use_ceil_though_the_count_uses_floor() -> None:
    image = np.zeros((7, 6))
    assert pyramid.band_count(7, 6) == 2
    assert [band.shape for band in laplacian_bands(image, 2)] == [(7, 6), (4, 3)]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_weighted_is_the_sum_of_the_weighted_bands(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image, count = rng.random((height, width)), pyramid.band_count(height, width)
    weights = rng.normal(size=count) * rng.integers(0, 2, count)
    bands = laplacian_bands(image, count)
    expected = weights[-1] * bands[-1]
    for weight, band in zip(weights[-2::-1], bands[-2::-1], strict=True):
        expected = weight * band + pyramid.expand_image(expected, *band.shape)
    got = pyramid.sum_weighted_bands(pyramid.gaussian_levels(image, count), weights)
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_equal_weights_give_the_image_back() -> None:
    image = np.random.default_rng(3).random((37, 29))
    np.testing.assert_allclose(
        pyramid.sum_weighted_bands(pyramid.gaussian_levels(image, 4), np.ones(4)),
        image,
        atol=1e-14,
    )
