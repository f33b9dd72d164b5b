"""NTSC colour, on arrays or tensors: what of a frame is magnified, and how it comes back to RGB."""

from functools import singledispatch
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]

RGB_FROM_YIQ = np.array([[1, 0.956, 0.621], [1, -0.272, -0.647], [1, -1.106, 1.703]])
YIQ_FROM_RGB = np.linalg.inv(RGB_FROM_YIQ)


def signal_to_magnify(rgb: Floats, chrom_attenuation: float) -> Floats:
    """TxHxWx3 RGB -> the part of it that is magnified, TxCxHxW: C = 1 (for R, G and B alike) or 3 (RGB).

    Without chroma only Y changes, and Y's column in RGB_FROM_YIQ is ones: one plane serves all three channels.
    """
    if chrom_attenuation == 0:
        return weighted_channel_sums(rgb, YIQ_FROM_RGB[:1])
    return weighted_channel_sums(rgb, RGB_FROM_YIQ @ np.diag([1, chrom_attenuation, chrom_attenuation]) @ YIQ_FROM_RGB)


@singledispatch
def weighted_channel_sums(rgb: Floats, weights: NDArray[np.float64]) -> Floats:
    """TxHxWx3 -> TxCxHxW: one weighted sum of the channels for each of the C rows of weights."""
    rows = weights.astype(rgb.dtype)
    if len(rows) == 1:
        single: Floats = rgb @ rows[0]
        return single[:, None]
    return np.ascontiguousarray(np.moveaxis(rgb @ rows.T, -1, 1))


@singledispatch
def brightest_channel(rgb: Floats) -> Floats:
    """Largest of the three channels, ...x3 -> ... (numpy's max along so short an axis is thirty times slower)."""
    largest: Floats = np.maximum(np.maximum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])
    return largest


@singledispatch
def add_in_gamut(frame: Floats, top: Floats, change: Floats, out: Floats) -> None:
    """HxWx3 frame plus change (C x HW) into `out`, kept in gamut as MATLAB's ntsc2rgb does, hue before brightness.

    Negatives become 0; a pixel with a channel above 1 is divided by its largest channel. `top` (HW) is the frame's
    `brightest`: plus the change it tells, at a third of the work, which few pixels can exceed 1.
    """
    planes = list(change.reshape(-1, *frame.shape[:2])) * (3 // len(change))
    np.add(frame, cv2.merge(planes, dst=out).reshape(frame.shape), out=out)
    cv2.threshold(out, 0, 0, cv2.THRESH_TOZERO, dst=out)
    pixels = out.reshape(-1, 3)
    bright = np.flatnonzero(top + (change[0] if len(change) == 1 else change.max(axis=0)) > 1)
    pixels[bright] /= np.maximum(brightest_channel(pixels[bright]), 1)[:, None]
