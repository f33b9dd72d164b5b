"""A run's folder: bus, store, logs, report; and the artifacts of several such folders as one store."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.bus.local import LocalBus
from shared.records import Record
from shared.store import LocalStore


@dataclass(frozen=True)
class Workspace:
    """Where `mer run --out DIR` keeps everything; a second start finds it again."""

    folder: Path

    def open_bus(self) -> LocalBus:
        return LocalBus(self.folder / "bus.sqlite")

    def open_store(self) -> LocalStore:
        return LocalStore(self.folder / "store")

    @property
    def logs_folder(self) -> Path:
        return self.folder / "logs"

    @property
    def report_folder(self) -> Path:
        return self.folder / "report"


class PooledStores(LocalStore):
    """For reading: a key is looked for in each folder. Equal keys are equal content, whichever run made it."""

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__(folders[0])
        self._all = [LocalStore(folder) for folder in folders]

    def get(self, key: str) -> bytes:
        holder = next((store for store in self._all if store.exists(key)), self._all[0])
        return holder.get(key)


def newest_records(bus: LocalBus, topic: str) -> list[Record]:
    """The newest record of every key on a topic, oldest first."""
    return [Record.decode(message.value) for message in bus.read_newest(topic).values()]
