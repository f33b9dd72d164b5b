"""Flow as colour: hue is direction, saturation is length (colour wheel of Baker et al. 2011, in plain HSV)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def colour_flow(flow: NDArray[Any], full_colour_length: float) -> Picture:
    """Flow [2,H,W] (u, v) -> RGB picture [H,W,3], uint8. White is no motion.

    Vectors of `full_colour_length`, in the unit of the flow, and longer ones have full colour.
    """
    u, v = flow.astype(np.float64)
    saturation = np.clip(np.hypot(u, v) / max(full_colour_length, 1e-6), 0, 1)[..., None]
    return np.asarray(np.round(255 * (1 - saturation * (1 - _direction_colour(u, v)))), np.uint8)


def draw_colour_wheel(size: int) -> Picture:
    """The legend: the colour of each direction, RGB [size,size,3], uint8."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    u, v = np.meshgrid(axis, axis)
    disc = colour_flow(np.stack([u, v]), 1.0)
    disc[np.hypot(u, v) > 1] = 255
    return disc


def _direction_colour(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    """The pure colour of each direction [H,W,3] in 0..1, piecewise linear over six sectors.

    Red is to the right. It turns to yellow as the angle grows, which is downwards in a picture.
    """
    sector = (np.arctan2(v, u) / (np.pi / 3)) % 6  # [H,W]
    offsets = np.array([0.0, 4.0, 2.0])  # the positions on the circle where red, green and blue are full
    return np.asarray(np.clip(np.abs((sector[..., None] + offsets) % 6 - 3) - 1, 0, 1))
