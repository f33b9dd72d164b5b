"""Reading a picture at displaced positions."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

STEPS = 32  # per px: the grid on which OpenCV interpolates


def read_displaced(image: NDArray[Any], displacement: NDArray[np.float64]) -> NDArray[Any]:
    """Read an image [H, W] or [H, W, 3] at every pixel plus its displacement [2, H, W] (x, y; px); the shape stays.

    Lanczos is used since OpenCV's cubic kernel reads slopes up to a twentieth px off. OpenCV reads at multiples of
    1/32 px, which would leave a head that jitters by as much. The slope of the result adds the remaining distance.
    Beyond the border, the outermost pixels are repeated.
    """
    height, width = image.shape[:2]
    at = displacement + np.stack(np.broadcast_arrays(np.arange(width), np.arange(height)[:, None]))
    near = np.rint(at * STEPS) / STEPS
    map_x, map_y = near.astype(np.float32)
    read = cv2.remap(image, map_x, map_y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
    across, down = (cv2.Sobel(read, -1, *axis, ksize=1, scale=0.5) for axis in ((1, 0), (0, 1)))
    rest_x, rest_y = (at - near).astype(image.dtype).reshape(2, height, width, *[1] * (image.ndim - 2))
    return np.asarray(read + rest_x * across + rest_y * down)
