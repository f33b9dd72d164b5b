"""The distance between the eyes: the unit in which motion of faces of any size compares."""

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData

SMALLEST_EYES = 8.0  # px; below it, landmarks in whole px do not show a face's size


def measured_eye_distance(landmarks: NDArray[np.float64]) -> float:
    """Distance between the eyes' centres, px, from landmarks [68, 2]. Raises BadData below `SMALLEST_EYES`."""
    distance = float(np.linalg.norm(landmarks[36:42].mean(axis=0) - landmarks[42:48].mean(axis=0)))
    if distance < SMALLEST_EYES:
        raise BadData(
            f"expected eyes at least {SMALLEST_EYES:g} px apart, got {distance:.1f} px; give frames with a larger face"
        )
    return distance
