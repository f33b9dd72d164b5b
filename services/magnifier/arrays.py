"""Types of the magnifier's arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]  # float32 or float64, as the setting `precision` says
Doubles = NDArray[np.float64]
Bytes = NDArray[np.uint8]
