"""The console over a stack in every state, and over an empty one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.bus.local import LocalBus
from shared.store import LocalStore
from tests.unit.console.conftest import Client, served
from tests.unit.console.drawn_stack import fill_stack


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Nobody changes this one."""
    yield from _serve_folder(tmp_path_factory.mktemp("full"), fill=True)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Client]:
    yield from _serve_folder(tmp_path, fill=False)


def _serve_folder(folder: Path, fill: bool) -> Iterator[Client]:
    bus, store = LocalBus(folder / "bus.sqlite"), LocalStore(folder / "store")
    if fill:
        fill_stack(bus, store)
    buckets = {name: LocalStore(folder / name) for name in ("datasets", "videos")}
    with served(bus, store, buckets=buckets) as client:
        yield client
    bus.close()
