"""NTSC colour: what of a frame is magnified, and how it comes back to RGB."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]

RGB_FROM_YIQ = np.array([[1, 0.956, 0.621], [1, -0.272, -0.647], [1, -1.106, 1.703]])
YIQ_FROM_RGB = np.linalg.inv(RGB_FROM_YIQ)


def signal(rgb: Floats, chrom_attenuation: float) -> Floats:
    """TxHxWx3 RGB -> the part of it that is magnified, TxCxHxW: C = 1 (for R, G and B alike) or 3 (RGB).

    Without chroma only Y changes, and Y's column in RGB_FROM_YIQ is ones: one plane serves all three channels.
    """
    if chrom_attenuation == 0:
        luma: Floats = rgb @ YIQ_FROM_RGB[0].astype(rgb.dtype)
        return luma[:, None]
    mix = RGB_FROM_YIQ @ np.diag([1, chrom_attenuation, chrom_attenuation]) @ YIQ_FROM_RGB
    return np.ascontiguousarray(np.moveaxis(rgb @ mix.T.astype(rgb.dtype), -1, 1))


def add(frame: Floats, change: Floats, out: Floats) -> None:
    """HxWx3 frame plus change (C x HW) into `out`, kept in gamut as MATLAB's ntsc2rgb does, hue before brightness.

    Negatives become 0; a pixel with a channel above 1 is divided by its largest channel.
    """
    planes = list(change.reshape(-1, *frame.shape[:2])) * (3 // len(change))
    np.add(frame, cv2.merge(planes).reshape(frame.shape), out=out)
    np.maximum(out, 0, out=out)
    pixels = out.reshape(-1, 3)
    bright = np.flatnonzero(out > 1) // 3  # a pixel may come up to three times: each time with the same result
    if bright.size:
        red, green, blue = pixels[bright].T
        pixels[bright] /= np.maximum(np.maximum(red, green), blue)[:, None]
