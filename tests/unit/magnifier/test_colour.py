"""Luma, chroma and the way back into gamut."""

import numpy as np
import pytest

from services.magnifier import colour

RNG = np.random.default_rng(4)


def test_luma_weights() -> None:
    np.testing.assert_allclose(colour.YIQ_FROM_RGB[0], [0.298936, 0.587043, 0.114021], atol=5e-7)


def test_without_chroma_one_plane_serves_all() -> None:
    rgb = RNG.random((2, 3, 4, 3))
    luma = colour.signal_to_magnify(rgb, 0)
    assert luma.shape == (2, 1, 3, 4)
    np.testing.assert_allclose(luma[:, 0], rgb @ colour.YIQ_FROM_RGB[0])


def test_with_all_chroma_the_signal_is_the_colour_itself() -> None:
    rgb = RNG.random((2, 3, 4, 3))
    np.testing.assert_allclose(colour.signal_to_magnify(rgb, 1), np.moveaxis(rgb, -1, 1), atol=1e-14)


def test_little_chroma_is_nearly_luma() -> None:
    rgb = RNG.random((2, 3, 4, 3))
    near = colour.signal_to_magnify(rgb, 1e-9)
    np.testing.assert_allclose(near, np.repeat(colour.signal_to_magnify(rgb, 0), 3, axis=1), atol=1e-8)


def added(pixel: list[float], change: list[float]) -> np.ndarray:
    frame, out = np.array([[pixel]]), np.empty((1, 1, 3))
    colour.add_in_gamut(frame, colour.brightest_channel(frame).ravel(), np.array(change)[:, None], out)
    return out[0, 0]


def test_negatives_become_zero() -> None:
    np.testing.assert_allclose(added([0.1, 0.5, 0.9], [-0.2]), [0, 0.3, 0.7])


def test_too_bright_a_pixel_is_divided_by_its_largest_channel() -> None:
    np.testing.assert_allclose(added([0.4, 0.6, 0.9], [0.6]), [1.0 / 1.5, 1.2 / 1.5, 1])


def test_three_changes_each_to_its_channel() -> None:
    np.testing.assert_allclose(added([0.5, 0.5, 0.5], [0.1, -0.7, 0.3]), [0.6, 0, 0.8])
    np.testing.assert_allclose(added([0.5, 0.5, 0.5], [1.5, -0.7, 0.3]), [1, 0, 0.4])
    np.testing.assert_allclose(added([0.2, 0.9, 0.5], [0.3, 0.0, 0.2]), [0.5, 0.9, 0.7])


@pytest.mark.parametrize("planes", [1, 3])
def test_every_pixel_of_a_picture_gets_its_own_change(planes: int) -> None:
    frame, change = RNG.random((7, 6, 3)), RNG.normal(size=(planes, 7 * 6)) / 2
    out = np.empty_like(frame)
    colour.add_in_gamut(frame, colour.brightest_channel(frame).ravel(), change, out)
    literal = np.maximum(frame + change.T.reshape(7, 6, planes), 0)
    np.testing.assert_allclose(out, literal / np.maximum(literal.max(-1, keepdims=True), 1), atol=1e-15)
