"""Light that flickers, taken out before it is magnified: every frame gets the brightness of the first.

Lamps and exposure change a frame by a factor. Magnification multiplies the change, and the flow, which takes brightness
for constant, turns it into motion along every edge. On drawn clips (merstream.synth, seed 7, three clips; factor
2; light changing from frame to frame by 0 / 0.2 / 1 % rms) the flow divided by its gain is wrong by

    0.017 / 0.024 / 0.076 px as recorded,  0.017 / 0.018 / 0.018 px equalised,  of 0.041 px true motion per pair;

matching the second frame of each pair to the first in the flow gives 0.017 / 0.018 / 0.024 px, since by then the change
is another one in every band. Equalised frames must stay floats: rounded to bytes first they give 0.017 / 0.021 / 0.022.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.magnifier.colour import YIQ_FROM_RGB

Floats = NDArray[Any]

CELL = 8  # px: means over cells average noise and the steps of uint8, which would tie the median to 1
FEWEST = 30  # cells; the median of fewer follows what moves
DARK, BRIGHT = 0.04, 0.98  # of full scale: cells outside tell nothing of the light (black level, clipping)


def equalise_light(rgb: Floats) -> Floats:
    """TxHxWx3 RGB 0..1 -> the same clip, each frame divided by its `change` from frame 0 (values may exceed 1)."""
    luma = [cell_means(frame @ YIQ_FROM_RGB[0].astype(rgb.dtype)) for frame in rgb]
    factors = np.array([1 / light_change(luma[0], later) for later in luma], rgb.dtype)
    evened: Floats = rgb * factors[:, None, None, None]
    return evened


def cell_means(luma: Floats) -> Floats:
    """HxW -> means over cells of about 8 x 8 px."""
    height, width = luma.shape
    size = max(1, round(width / CELL)), max(1, round(height / CELL))
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA))


def light_change(first: Floats, later: Floats) -> float:
    """By what factor the light grew: the median over cells, so that what moves does not count; 1 if they are few."""
    both = np.stack([first, later])
    useful = ((both > DARK) & (both < BRIGHT)).all(axis=0)
    return float(np.median(later[useful] / first[useful])) if useful.sum() >= FEWEST else 1.0
