"""A run's folder: bus, store, logs, report."""

from dataclasses import dataclass
from pathlib import Path

from shared.local_bus import LocalBus
from shared.records import Record
from shared.store import LocalStore


@dataclass(frozen=True)
class Workspace:
    """Where `mer run --out DIR` keeps everything; a second start finds it again."""

    folder: Path

    def bus(self) -> LocalBus:
        return LocalBus(self.folder / "bus.sqlite")

    def store(self) -> LocalStore:
        return LocalStore(self.folder / "store")

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def report(self) -> Path:
        return self.folder / "report"


def newest(bus: LocalBus, topic: str) -> list[Record]:
    """The newest record of every key on a topic, oldest first."""
    return [Record.decode(message.value) for message in bus.latest(topic).values()]
