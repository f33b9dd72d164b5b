"""Which limits work on a record has: those of the settings, else those of its group and of the container."""

from pathlib import Path

import pytest

from shared.settings import Settings
from shared.worker import limits
from shared.worker.child import ChildLimits
from shared.worker.limits import choose_limits

MIB = 1 << 20


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that tell of a machine of 8 GiB and a container without a limit."""
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "meminfo").write_text(f"MemTotal:       {8 * MIB} kB\nMemFree:        1 kB\n")
    monkeypatch.setattr(limits, "CONTAINER_LIMITS", (tmp_path / "memory.max", tmp_path / "none"))
    monkeypatch.setattr(limits, "MEMORY_FACTS", tmp_path / "meminfo")
    monkeypatch.setattr(limits, "GPU_DRIVER", tmp_path / "gpu")
    return tmp_path


def test_the_machine_counts_without_a_container(container: Path) -> None:
    assert choose_limits("flow", Settings()) == ChildLimits(900, (8192 - 256) * MIB)


def test_the_container_counts_where_it_is_smaller(container: Path) -> None:
    (container / "memory.max").write_text(f"{2048 * MIB}\n")
    assert choose_limits("trainer", Settings()) == ChildLimits(3600, (2048 - 256) * MIB)
    (container / "memory.max").write_text(f"{300 * MIB}\n")
    assert choose_limits("flow", Settings()).memory == 150 * MIB


def test_no_default_limit_beside_a_gpu(container: Path) -> None:
    (container / "gpu").touch()
    assert choose_limits("flow", Settings()).memory == 0


def test_settings_come_first(container: Path) -> None:
    given = Settings(work_seconds=7, work_memory_bytes=5)
    assert choose_limits("spotter", given) == ChildLimits(7, 5)
