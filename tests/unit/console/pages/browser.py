"""How tests drive a real browser."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.unit.console.conftest import CALM

if TYPE_CHECKING:
    from playwright.sync_api import Page

Opener = Callable[..., "Page"]  # the fixture `open_page`


def wait_until(page: "Page", condition: str, patience_seconds: float = CALM) -> None:
    """Playwright's own waiting evaluates text in the page, which the page's policy forbids."""
    limit = time.monotonic() + patience_seconds
    while not _holds(page, condition):
        assert time.monotonic() < limit, condition
        page.wait_for_timeout(20)


def _holds(page: "Page", condition: str) -> bool:
    from playwright.sync_api import Error  # not installed everywhere

    try:
        return bool(page.evaluate(condition))
    except Error as fault:
        if "context was destroyed" not in fault.message:  # the page loads itself again
            raise
        return False
