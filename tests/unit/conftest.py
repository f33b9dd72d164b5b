"""What the tests of several packages share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from tests.servers.chromium import start_chromium
from tests.servers.process import ServerMissing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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


# Not for the session: as long as it runs, this thread has an event loop, and no other test could start one.
@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    try:
        with start_chromium() as browser:
            yield browser
    except ServerMissing as lacking:
        pytest.skip(str(lacking))
