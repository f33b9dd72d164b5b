import threading
from pathlib import Path

import pytest

from services.trainer.__main__ import LOOPS_BY_PART
from shared.bus.local import LocalBus
from shared.settings import Settings
from shared.store import LocalStore
from shared.telemetry import Metrics


@pytest.mark.parametrize(
    ("part", "groups"),
    [("", ["conductor", "planner", "trainer"]), ("plan", ["conductor", "planner"]), ("train", ["trainer"])],
)
def test_a_process_does_all_or_one_part(part: str, groups: list[str], tmp_path: Path) -> None:
    bus, metrics = LocalBus(tmp_path / "bus.sqlite"), Metrics()
    loops = LOOPS_BY_PART[part](
        Settings(scratch=tmp_path), bus, LocalStore(tmp_path / "store"), metrics, threading.Event()
    )
    assert [loop.handler.name if hasattr(loop, "handler") else "conductor" for loop in loops] == groups
    bus.close()
