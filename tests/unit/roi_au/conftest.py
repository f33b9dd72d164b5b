"""A frame with a face, for the tests that look for landmarks."""

import cv2
import numpy as np
import pytest
import skimage.data

from shared import weights
from shared.errors import MissingWeights


@pytest.fixture(scope="session")
def predictor() -> None:
    """Skips where the landmark weights, whose licence forbids shipping them, have not been fetched."""
    try:
        weights.path(weights.LANDMARKS)
    except MissingWeights as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def onset(predictor: None) -> np.ndarray:
    """A tight face crop of 280x224 px."""
    return cv2.resize(np.asarray(skimage.data.astronaut())[45:195, 162:282], (224, 280))
