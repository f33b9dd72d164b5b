"""One headless Chromium for the tests of a module."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.servers.chromium import start_chromium
from tests.servers.process import ServerMissing

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
