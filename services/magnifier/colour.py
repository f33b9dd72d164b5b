"""NTSC colour: which part of a frame is magnified, and how its change is added in gamut. Frames are RGB in 0..1."""

import cv2
import numpy as np

from services.magnifier.arrays import Floats

RGB_FROM_YIQ = np.array([[1, 0.956, 0.621], [1, -0.272, -0.647], [1, -1.106, 1.703]])
YIQ_FROM_RGB = np.linalg.inv(RGB_FROM_YIQ)


def signal_to_magnify(rgb: Floats, chrom_attenuation: float) -> Floats:
    """[T, H, W, 3] RGB -> the part of it that is magnified, [T, C, H, W]: C = 1 (the same for R, G and B) or 3 (RGB).

    Without chroma only Y changes. Y's column in `RGB_FROM_YIQ` is ones, so that one plane serves all three channels.
    """
    if chrom_attenuation == 0:
        luma: Floats = rgb @ YIQ_FROM_RGB[0].astype(rgb.dtype)
        return luma[:, None]
    attenuation = np.diag([1, chrom_attenuation, chrom_attenuation])
    weights = (RGB_FROM_YIQ @ attenuation @ YIQ_FROM_RGB).astype(rgb.dtype)
    return np.ascontiguousarray(np.moveaxis(rgb @ weights.T, -1, 1))


def brightest_channel(rgb: Floats) -> Floats:
    """[..., 3] -> [...]: the largest of the three channels."""
    # numpy's max along so short an axis is thirty times slower
    largest: Floats = np.maximum(np.maximum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])
    return largest


def add_in_gamut(frame: Floats, top: Floats, change: Floats, out: Floats) -> None:
    """Write frame [H, W, 3] plus change [C, HW] to `out` [H, W, 3], kept in gamut as MATLAB's ntsc2rgb does.

    Negative values become 0. A pixel with a channel above 1 is divided by its largest channel, which keeps its hue.
    `top` [HW] is the frame's `brightest_channel`.
    """
    planes = list(change.reshape(-1, *frame.shape[:2])) * (3 // len(change))
    np.add(frame, cv2.merge(planes, dst=out).reshape(frame.shape), out=out)
    cv2.threshold(out, 0, 0, cv2.THRESH_TOZERO, dst=out)
    pixels = out.reshape(-1, 3)
    # `top` plus the change bounds the largest channel at a third of the work; few pixels can exceed 1
    bright = np.flatnonzero(top + (change[0] if len(change) == 1 else change.max(axis=0)) > 1)
    pixels[bright] /= np.maximum(brightest_channel(pixels[bright]), 1)[:, None]
