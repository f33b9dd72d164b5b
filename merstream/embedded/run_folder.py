"""The folder of a run: bus, store, logs, report. And the artifacts of several such folders as one store."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.bus.local import LocalBus
from shared.storage_faults import require_writable_folder, stop_on_storage_fault
from shared.store import LocalStore

OUTPUT_FOLDER = Path("out")  # default folder of runs, and of reports that are fetched from a stack


@dataclass(frozen=True)
class Workspace:
    """The folder that `mer run --out DIR` writes. A second start finds everything again."""

    folder: Path

    def open_bus(self) -> LocalBus:
        with stop_on_storage_fault(self.folder):
            return LocalBus(self.folder / "bus.sqlite")

    def open_store(self) -> LocalStore:
        return LocalStore(self.folder / "store")

    def require_writable(self) -> None:
        """Raise StorageRefused unless every folder of the run can be written, so that no work is done in vain."""
        require_writable_folder(self.folder)
        for folder in (self.folder / "store", self.logs_folder, self.report_folder):
            if os.path.lexists(folder):
                require_writable_folder(folder)

    @property
    def logs_folder(self) -> Path:
        return self.folder / "logs"

    @property
    def report_folder(self) -> Path:
        return self.folder / "report"


class PooledStores:
    """Artifacts of several folders, to read only. Equal keys have equal content, whichever run made it."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._stores = [LocalStore(folder) for folder in folders]

    def get(self, key: str) -> bytes:
        return self._choose_store(key).get(key)

    def fetch_file(self, key: str, file: Path) -> None:
        self._choose_store(key).fetch_file(key, file)

    def _choose_store(self, key: str) -> LocalStore:
        return next((store for store in self._stores if store.exists(key)), self._stores[0])
