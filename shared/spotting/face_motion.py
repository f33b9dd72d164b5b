"""What is measured of a face over one uninterrupted stretch of a recording."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class FaceMotion:
    """Motion of one face over T frames of one segment.

    times: [T] s from the first frame of the recording. regions: names of R regions, by the person's own sides.
    displacement: [T, R, 2] (to the right, down) of each region without the head's motion, distances between the eyes.
    noise: [R] standard deviation of `displacement` at rest, distances between the eyes. head: [T, 5] x, y (distances
    between the eyes), roll, turn, nod (degrees), from the segment's median. lids: [T, 2] opening of the person's left
    and right eye, mouth: [T] opening of the lips, both in distances between the eyes. light: [T] mean grey level of
    the face, 0 to 255. eye_distance: px, median of the segment.
    """

    times: Values
    regions: tuple[str, ...]
    displacement: Values
    noise: Values
    head: Values
    lids: Values
    mouth: Values
    light: Values
    eye_distance: float
