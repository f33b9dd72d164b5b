"""The console over a stack in every state, and over an empty one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared.bus import Bus
from shared.bus.local import LocalBus
from shared.store import LocalStore, Store
from tests.unit.console.conftest import Client, served
from tests.unit.console.drawn_stack import fill_stack
from tests.unit.console.pages.browser import Opener

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Response

STATUS = "the server responded with a status of"  # said of every refusal, also of a page that one asked for


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Nobody changes this one."""
    with serve_folder(tmp_path_factory.mktemp("full"), fill_stack) as client:
        yield client


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Client]:
    with serve_folder(tmp_path) as client:
        yield client


@pytest.fixture
def open_page(chromium: "Browser") -> Iterator[Opener]:
    """`open_page(client, path, width, scheme)`. Afterwards: no fault in the browser's console, nothing asked elsewhere.

    The page itself may be refused, but nothing that it asks for.
    """
    faults: list[str] = []
    opened = []

    def open_one(client: Client, path: str, width: int = 1280, scheme: str = "light") -> "Page":
        own = f"http://127.0.0.1:{client.port}/"
        context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        opened.append(context)
        page = context.new_page()
        page.on("console", lambda message: None if STATUS in message.text else faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(own) else faults.append(asked.url))
        page.on("response", lambda answer: faults.append(answer.url) if _is_refused_part(answer) else None)
        page.goto(own.rstrip("/") + path, wait_until="load")
        return page

    yield open_one
    for context in opened:
        context.close()
    assert faults == []


def _is_refused_part(answer: "Response") -> bool:
    return answer.status >= 400 and not answer.request.is_navigation_request()


@contextmanager
def serve_folder(folder: Path, *fillers: Callable[[Bus, Store], Any], **settings: Any) -> Iterator[Client]:
    """A console that takes uploads, over a bus and a store that the `fillers` fill."""
    bus, store = LocalBus(folder / "bus.sqlite"), LocalStore(folder / "store")
    for fill in fillers:
        fill(bus, store)
    buckets = {name: LocalStore(folder / name) for name in ("datasets", "videos")}
    with served(bus, store, buckets=buckets, **settings) as client:
        yield client
    bus.close()
