"""The AU clip: size, order, type."""

import cv2
import numpy as np
import pytest

from services.roi_au.clip import prepare_au_clip
from shared.errors import BadData


def test_sixteen_frames_at_144_px_in_rgb() -> None:
    frames = np.zeros((16, 280, 224, 3), dtype=np.uint8)
    frames[..., 0] = 200
    frames[..., 1] = np.arange(16)[:, None, None]
    made = prepare_au_clip(frames, aligned=False)
    assert made.shape == (16, 144, 144, 3)
    assert made.dtype == np.uint8
    assert (made[..., 0] == 200).all()
    assert (made[..., 1] == np.arange(16)[:, None, None]).all()
    assert not made[..., 2].any()


def test_bilinear_and_the_aspect_not_kept() -> None:
    ramp = np.repeat(np.linspace(0, 255, 216).round().astype(np.uint8)[None, :, None], 3, axis=2)
    frames = np.repeat(np.repeat(ramp, 300, axis=0)[None], 16, axis=0)
    columns = prepare_au_clip(frames, aligned=False)[3, 70, :, 1].astype(float)
    expected = np.interp((np.arange(144) + 0.5) * 216 / 144 - 0.5, np.arange(216), ramp[0, :, 0])
    assert np.abs(columns - expected).max() <= 1


def test_a_clip_of_the_size_stays() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (16, 144, 144, 3), dtype=np.uint8)
    assert (prepare_au_clip(frames, aligned=False) == frames).all()


def test_conforms_to_the_library_that_the_paper_used() -> None:
    frames = np.random.default_rng(1).integers(0, 256, (16, 60, 50, 3), dtype=np.uint8)
    assert (
        prepare_au_clip(frames, aligned=False)[7][:, :, ::-1] == cv2.resize(frames[7][:, :, ::-1].copy(), (144, 144))
    ).all()


@pytest.mark.parametrize("shape", [(15, 50, 50, 3), (16, 50, 50), (16, 50, 50, 1), (16, 0, 50, 3)])
def test_wrong_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadData, match=r"shape 16xHxWx3, got " + "x".join(map(str, shape)) + "; interpolate"):
        prepare_au_clip(np.zeros(shape, dtype=np.uint8), aligned=False)


def test_wrong_type() -> None:
    with pytest.raises(BadData, match=r"uint8 0..255, got float32"):
        prepare_au_clip(np.zeros((16, 50, 50, 3), dtype=np.float32), aligned=False)


def test_an_aligned_clip_does_not_move_with_the_head_or_the_light() -> None:
    """A face-like texture that drifts by up to 3 px while the light grows by 6 %."""
    texture = cv2.GaussianBlur(np.random.default_rng(2).normal(128, 400, (300, 240)), (0, 0), 4).clip(20, 235)
    steps = np.linspace(0, 1, 16)
    moved = [
        cv2.warpAffine(texture, np.float64([[1, 0, 3 * step], [0, 1, -2 * step]]), (240, 300), flags=cv2.INTER_CUBIC)
        * (1 + 0.06 * step)
        for step in steps
    ]
    frames = np.stack([np.stack([each] * 3, -1).clip(0, 255).round().astype(np.uint8) for each in moved])
    recorded, aligned = (prepare_au_clip(frames, aligned=choice).astype(int) for choice in (False, True))
    inner = np.s_[:, 12:-12, 12:-12]
    assert np.abs(recorded[inner][15] - recorded[inner][0]).mean() > 8
    assert np.abs(aligned[inner] - aligned[inner][:1]).mean(axis=(1, 2, 3)).max() < 1
    np.testing.assert_array_equal(aligned[0], recorded[0])
