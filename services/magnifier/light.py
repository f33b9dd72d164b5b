"""Removal of flicker before magnification: every frame gets the brightness of the first.

Lamps and exposure change a frame by a factor. Magnification multiplies this change. The flow assumes constant
brightness and turns the change into motion along every edge. The error of the flow, divided by its gain, was measured
on drawn clips (merstream.synth, seed 7, three clips, factor 2). True motion per pair is 0.041 px. Light changes from
frame to frame by 0 / 0.2 / 1 % rms:

    0.017 / 0.024 / 0.076 px  as recorded
    0.017 / 0.018 / 0.018 px  equalised here, in floats
    0.017 / 0.021 / 0.022 px  equalised, but rounded to bytes before magnification
    0.017 / 0.018 / 0.024 px  second frame of each pair matched to the first in the flow

The last one is worse, since after magnification the change differs from band to band.
"""

import cv2
import numpy as np

from services.magnifier.colour import YIQ_FROM_RGB
from services.magnifier.ops import Floats

CELL = 8  # px: a mean over a cell averages noise and the steps of uint8, which would hold the median at 1
FEWEST = 30  # cells: the median of fewer cells follows moving skin
DARK, BRIGHT = 0.04, 0.98  # of full scale: darker or brighter cells do not show the light (black level, clipping)


def equalise_light(rgb: Floats) -> Floats:
    """[T, H, W, 3] RGB 0..1 -> the same, each frame divided by its `light_change` from frame 0; values may exceed 1."""
    luma = [cell_means(frame @ YIQ_FROM_RGB[0].astype(rgb.dtype)) for frame in rgb]
    factors = np.array([1 / light_change(luma[0], later) for later in luma], rgb.dtype)
    evened: Floats = rgb * factors[:, None, None, None]
    return evened


def cell_means(luma: Floats) -> Floats:
    """[H, W] luma -> means over cells of about 8 x 8 px, [rows, columns] of cells."""
    height, width = luma.shape
    size = max(1, round(width / CELL)), max(1, round(height / CELL))
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA))


def light_change(first: Floats, later: Floats) -> float:
    """The factor between the lights of two frames, from their `cell_means` [rows, columns].

    It is the median over cells, so that moving skin does not count; 1 if fewer than `FEWEST` cells are usable.
    """
    both = np.stack([first, later])
    useful = ((both > DARK) & (both < BRIGHT)).all(axis=0)
    return float(np.median(later[useful] / first[useful])) if useful.sum() >= FEWEST else 1.0
