"""What the tests of several packages share."""

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data


@pytest.fixture(scope="session")
def face() -> NDArray[np.uint8]:
    """240x260 RGB: head and shoulders, one face of about 90 px."""
    return np.ascontiguousarray(data.astronaut()[20:260, 90:350])
