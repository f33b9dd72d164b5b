"""Flicker is removed before magnification, also beside motion; frames that do not show it are left alone."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from services.magnifier import evm, light
from services.magnifier.settings import PROFILES

LIGHTS = np.array([1.0, 1.01, 0.985, 1.004, 0.99])
AS_RECORDED = PROFILES["corrected"].model_copy(update={"light": "as-recorded"})


def textured(rows: int = 96, columns: int = 80) -> np.ndarray:
    """[H, W, 3] floats between 0.2 and 0.8."""
    smooth = gaussian_filter(np.random.default_rng(1).normal(size=(rows, columns, 3)), (2, 2, 0))
    return 0.5 + 0.3 * smooth / np.abs(smooth).max()


def test_flicker_is_gone_before_anything_is_magnified() -> None:
    picture = textured()
    clip = picture * LIGHTS[:, None, None, None]
    out = evm.magnify(clip, [3.0], fps=40, dtype=np.float64)[0]
    np.testing.assert_allclose(out, np.broadcast_to(picture, out.shape), atol=1e-12)
    assert np.abs(evm.magnify(clip, [3.0], AS_RECORDED, fps=40)[0] - picture).max() > 0.01


def test_noise_and_bytes_do_not_hide_it() -> None:
    picture = textured(280, 224)[None] * LIGHTS[:, None, None, None] * 255
    recorded = np.rint(picture + np.random.default_rng(2).normal(0, 1.5, picture.shape)).astype(np.uint8)
    rows = [light.cell_means(frame.astype(float).mean(-1) / 255) for frame in recorded]
    found = [light.light_change(rows[0], row) for row in rows]
    np.testing.assert_allclose(found, LIGHTS, atol=2e-4)


def test_what_moves_does_not_count() -> None:
    first = textured(96, 96)
    later = first * 1.02
    later[:40] = np.roll(first[:40], 9, axis=1) * 0.5
    assert light.light_change(light.cell_means(first[..., 0]), light.cell_means(later[..., 0])) == pytest.approx(
        1.02, abs=1e-3
    )


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_black_and_clipped_frames_tell_nothing(level: float) -> None:
    flat = np.full((12, 12), level)
    assert light.light_change(flat, flat * 0.9) == 1


def test_few_cells_tell_nothing() -> None:
    cells = np.full((5, 5), 0.5)
    assert light.light_change(cells, cells * 1.1) == 1
