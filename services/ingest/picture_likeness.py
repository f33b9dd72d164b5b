"""The likeness of two small grey pictures, by which a face is known again and a cut is seen."""

import cv2
import numpy as np
from numpy.typing import NDArray

from services.ingest.crop import Crop, cut_crop
from shared.images.decoding import Frame

Thumbnail = NDArray[np.float64]

ROWS, COLUMNS = 35, 28  # px: enough for the features of a face, too few for noise and expressions
# Correlations. One person over a recorded smile with head motion: at least 0.83 to the first frame, 0.99 from frame to
# frame at 30 frames/s and 0.92 at 4. A person and a wall: -0.4 to 0.3. Persons drawn from one portrait: 0.35 to 0.87.
SHIFT = 4  # px: a head moves by a fifth of its width at most from one frame to the next
SAME_PICTURE = 0.6
SAME_SCENE = 0.85


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


def measure_shifted_likeness(one: Thumbnail, other: Thumbnail) -> float:
    """The best `measure_likeness` of two thumbnails [H,W] that may be shifted by up to `SHIFT` px each way."""
    inner = other[SHIFT:-SHIFT, SHIFT:-SHIFT]
    if one.std() == 0 or inner.std() == 0:
        return 0.0
    matches = cv2.matchTemplate(one.astype(np.float32), inner.astype(np.float32), cv2.TM_CCOEFF_NORMED)
    return float(matches.max())
