"""A frame with a face, for the tests that look for landmarks."""

import cv2
import numpy as np
import pytest
import skimage.data


@pytest.fixture(scope="session")
def onset() -> np.ndarray:
    """A tight face crop of 280x224 px."""
    return cv2.resize(np.asarray(skimage.data.astronaut())[45:195, 162:282], (224, 280))
