"""The likeness of two small grey pictures, by which a face is known again and a cut is seen."""

import cv2
import numpy as np
from numpy.typing import NDArray

from services.ingest.crop import Crop, cut_crop
from services.ingest.image import Frame

Thumbnail = NDArray[np.float64]

ROWS, COLUMNS = 35, 28  # px: enough for the features of a face, too few for noise and expressions
# Correlations: one person over a recorded smile with head motion 0.83, from frame to frame 0.99. Another scene has -0.4
# to 0.3, another person in the same place 0.3 to 0.6.
SAME_PICTURE = 0.6
SAME_SCENE = 0.7


def shrink_picture(frame: Frame, crop: Crop | None = None) -> Thumbnail:
    """A thumbnail [35,28] of a frame [H,W,3], uint8 RGB, or of a crop of it."""
    if crop is not None:
        frame = cut_crop(frame, crop, ROWS, COLUMNS)
    small = cv2.resize(frame, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float64)


def measure_likeness(one: Thumbnail, other: Thumbnail) -> float:
    """Correlation of two thumbnails [H,W], -1 to 1. It does not depend on the light; 0 if one is of one grey level."""
    a, b = one - one.mean(), other - other.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 0 else 0.0
