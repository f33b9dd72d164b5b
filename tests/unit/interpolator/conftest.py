"""A face that moves by known amounts, the network, and a network whose midpoints have a closed form."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import skimage.data
import torch
from scipy.ndimage import shift
from torch import Tensor

from services.interpolator.rife import Rife
from services.interpolator.stage import load_network

FACE = skimage.data.astronaut()[60:156, 160:256].astype(float)


class Mean(Rife):
    """Midpoints are the mean of two frames, so that each position's value is known; records the size of its batches."""

    def __init__(self) -> None:
        self.device, self.forwards, self.batches = torch.device("cpu"), 0, list[int]()

    def packed_midpoints(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        self.forwards += len(first)
        self.batches.append(len(first))
        return (torch.stack([*first]) + torch.stack([*second])) / 2


@pytest.fixture
def mean() -> Mean:
    return Mean()


@pytest.fixture(scope="session")
def net() -> Rife:
    return load_network("cpu")


@pytest.fixture(scope="session")
def moving() -> Callable[[int, float], np.ndarray]:
    """(frames, px per frame) -> a clip [T,96,96,3] of the face that moves down to the right."""

    def clip(frames: int, px: float) -> np.ndarray:
        moved = [shift(FACE, (0.6 * px * t, 0.8 * px * t, 0), order=3, mode="nearest") for t in range(frames)]
        return np.clip(np.rint(moved), 0, 255).astype(np.uint8)

    return clip


@pytest.fixture(scope="session")
def ramp() -> np.ndarray:
    """A clip [5,34,34,3] whose frame t has the value 40 t everywhere, so that a value shows its position."""
    return np.full((5, 34, 34, 3), 40, np.uint8) * np.arange(5, dtype=np.uint8)[:, None, None, None]
