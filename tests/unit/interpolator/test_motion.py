"""The strongest motion, against known shifts of a real picture."""

import numpy as np
import pytest
import skimage.data
import torch
from scipy.ndimage import shift
from torch import Tensor

from services.interpolator.motion import SMALLEST, peak_motion

FACE = skimage.data.astronaut()[40:200, 130:322]


def packed(frame: np.ndarray) -> Tensor:
    return torch.from_numpy(np.clip(np.rint(frame), 0, 255).astype(np.float32)).permute(2, 0, 1) / 255


@pytest.mark.parametrize("px", [0.3, 0.75, 1.5, 3.0])
def test_a_known_shift(px: float) -> None:
    moved = shift(FACE.astype(float), (0.6 * px, 0.8 * px, 0), order=3, mode="nearest")
    assert peak_motion(packed(FACE), packed(moved)) == pytest.approx(px, rel=0.4)


def test_identical_frames_do_not_move() -> None:
    assert peak_motion(packed(FACE), packed(FACE)) == 0


def test_light_is_no_motion() -> None:
    assert peak_motion(packed(FACE * 0.9), packed(FACE * 0.9 + 6)) < 0.1


def test_noise_is_little_motion() -> None:
    rng = np.random.default_rng(7)
    first, second = (packed(FACE + rng.normal(0, 3, FACE.shape)) for _ in range(2))
    assert peak_motion(first, second) < 0.4


def test_a_flat_picture_does_not_move() -> None:
    flat = np.full((SMALLEST, SMALLEST, 3), 90.0)
    assert peak_motion(packed(flat), packed(flat)) == 0
