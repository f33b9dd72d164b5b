"""What the tests of several packages share."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

Write = Callable[..., Path]


@pytest.fixture(scope="session")
def face() -> NDArray[np.uint8]:
    """240x260 RGB: head and shoulders, one face of about 90 px."""
    return np.ascontiguousarray(data.astronaut()[20:260, 90:350])


@pytest.fixture
def write_video(face: NDArray[np.uint8]) -> Write:
    """(file, frames): a grey level of 10 per frame in the upper left corner tells the frames apart."""

    def write(file: Path, count: int) -> Path:
        writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 30, (260, 240))
        for number in range(count):
            frame = face.copy()
            frame[:40, :40] = 10 * number
            writer.write(np.ascontiguousarray(frame[:, :, ::-1]))
        writer.release()
        return file

    return write
