"""A toy dataset and trainers for a stack, a drawn video with its prediction, and a headless Chromium for a module."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.servers.chromium import start_chromium
from tests.servers.process import ServerMissing
from tests.unit.merstream.prediction.predicted_video import drawn_video, prediction  # noqa: F401
from tests.unit.trainer.conftest import lab, trainer  # noqa: F401

if TYPE_CHECKING:
    from playwright.sync_api import Browser


# Not for the session: as long as it runs, this thread has an event loop, and no other test could start one.
@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    try:
        with start_chromium() as browser:
            yield browser
    except ServerMissing as lacking:
        pytest.skip(str(lacking))
