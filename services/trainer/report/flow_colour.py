"""Flow as colour: hue is direction, saturation is length (the wheel of Baker et al. 2011, in plain HSV)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def colour_flow(flow: NDArray[Any], full_colour_length: float) -> Picture:
    """2xHxW (u, v) -> HxWx3 RGB; white is no motion, `full` (same unit) and more is full colour."""
    u, v = flow.astype(np.float64)
    saturation = np.clip(np.hypot(u, v) / max(full_colour_length, 1e-6), 0, 1)[..., None]
    return np.round(255 * (1 - saturation * (1 - _direction_colour(u, v)))).astype(np.uint8)


def draw_colour_wheel(size: int) -> Picture:
    """The key: which colour is which direction, size x size x 3."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    u, v = np.meshgrid(axis, axis)
    disc = colour_flow(np.stack([u, v]), 1.0)
    disc[np.hypot(u, v) > 1] = 255
    return disc


def _direction_colour(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    """The pure colour of each direction [H,W,3] in 0..1: red to the right, then over yellow as the angle grows (down,
    in a picture); piecewise linear over six sectors."""
    sector = (np.arctan2(v, u) / (np.pi / 3)) % 6  # [H,W]
    offsets = np.array([0.0, 4.0, 2.0])  # where on the circle red, green and blue stand opposite
    return np.clip(np.abs((sector[..., None] + offsets) % 6 - 3) - 1, 0, 1)
