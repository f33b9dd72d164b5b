"""The folder of a run: bus, store, logs, report. And the artifacts of several such folders as one store."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.bus.local import LocalBus
from shared.store import LocalStore

OUTPUT_FOLDER = Path("out")  # default folder of runs, and of reports that are fetched from a stack


@dataclass(frozen=True)
class Workspace:
    """The folder that `mer run --out DIR` writes. A second start finds everything again."""

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
