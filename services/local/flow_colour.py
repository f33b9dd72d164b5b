"""Flow as colour: hue is direction, saturation is length (the wheel of Baker et al. 2011, in plain HSV)."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def colours(flow: NDArray[Any], full: float) -> Picture:
    """2xHxW (u, v) px -> HxWx3 RGB; white is no motion, `full` px and more is full colour."""
    u, v = flow.astype(np.float32)
    length, angle = cv2.cartToPolar(u, v, angleInDegrees=True)
    hue = (angle / 2).astype(np.uint8)
    saturation = (np.clip(length / max(full, 1e-6), 0, 1) * 255).astype(np.uint8)
    return np.asarray(
        cv2.cvtColor(np.stack([hue, saturation, np.full_like(hue, 255)], -1), cv2.COLOR_HSV2RGB), np.uint8
    )


def wheel(size: int) -> Picture:
    """The key: which colour is which direction, size x size x 3."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    u, v = np.meshgrid(axis, axis)
    disc = colours(np.stack([u, v]), 1.0)
    disc[np.hypot(u, v) > 1] = 255
    return disc
