import threading
from pathlib import Path

import pytest

from services.trainer.__main__ import LOOPS_BY_PART
from shared.bus.local import LocalBus
from shared.settings import Settings
from shared.store import LocalStore
from shared.telemetry import Metrics
from shared.worker import Worker


@pytest.mark.parametrize(
    ("part", "groups"),
    [
        ("", ["conductor", "planner", "prediction-starter", "trainer", "recogniser"]),
        ("plan", ["conductor", "planner", "prediction-starter"]),
        ("train", ["trainer"]),
        ("recognise", ["recogniser"]),
    ],
)
def test_a_process_does_all_or_one_part(part: str, groups: list[str], tmp_path: Path) -> None:
    bus, metrics = LocalBus(tmp_path / "bus.sqlite"), Metrics()
    loops = LOOPS_BY_PART[part](
        Settings(scratch=tmp_path), bus, LocalStore(tmp_path / "store"), metrics, threading.Event()
    )
    assert [loop.handler.name if isinstance(loop, Worker) else loop.name for loop in loops] == groups
    bus.close()
