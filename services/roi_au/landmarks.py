"""The 68 facial landmarks (iBUG order) of dlib's regression-tree predictor (Kazemi & Sullivan 2014)."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared import faces, weights


def detect(frame: NDArray[np.uint8], upsample: int = 1) -> NDArray[np.float64]:
    """68x2 float64 (x, y) in px of the largest face in a uint8 RGB frame HxWx3. Raises BadData, MissingWeights."""
    return fit(frame, faces.largest_face(frame, upsample))


def fit(pixels: NDArray[np.uint8], box: faces.Box) -> NDArray[np.float64]:
    """68x2 (x, y) of the face in a given box, in uint8 HxWx3 RGB or HxW grey pixels."""
    shape = _predictor()(np.ascontiguousarray(pixels), _dlib().rectangle(*box))
    return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float64)


@cache
def _predictor() -> Any:
    return _dlib().shape_predictor(str(weights.path(weights.LANDMARKS)))


def _dlib() -> Any:
    import dlib  # type: ignore[import-untyped]  # here, so that this module can be read where dlib is not installed

    return dlib
