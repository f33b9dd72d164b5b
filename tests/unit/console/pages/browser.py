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
    while not page.evaluate(condition):
        assert time.monotonic() < limit, condition
        page.wait_for_timeout(20)
