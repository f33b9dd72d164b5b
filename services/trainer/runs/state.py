"""What bus and store hold of datasets, features and runs: read by the conductor and by the API, each when it looks."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.bus import Bus
from shared.bus.topics import topic
from shared.dataset_progress import Standing, standing
from shared.errors import Unavailable
from shared.records import Dataset, FoldResult, Record, Run, RunContents, RunResult
from shared.store import Store
from shared.topic_views import IMAGE_STAGES, Kept, buried, by_clip, records


@dataclass(frozen=True)
class Known:
    """As of one look; each by message key, the newest last."""

    datasets: Mapping[str, Dataset]
    features: Mapping[str, Record]
    letters: Mapping[tuple[str, str], str]  # sentences by (record key, source artifact)
    runs: Mapping[str, Run]
    results: Mapping[str, RunResult]
    folds: Mapping[str, FoldResult]

    def standing(self, dataset: Dataset) -> Standing:
        return standing(dataset, self.features, self.letters)


class State:
    """For any number of threads, one at a time: what each of them reads is what the next need not read again."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self.bus, self.store = bus, store
        self._one = threading.Lock()
        self._datasets = records(bus, topic("datasets").name, lambda key: Dataset)
        self._features = records(bus, topic("features").name, lambda key: Record)
        self._runs = records(bus, topic("runs").name, lambda key: Run)
        self._results = records(bus, topic("results").name, lambda key: FoldResult if "/" in key else RunResult)
        self._letters = [buried(bus, store, stage) for stage in IMAGE_STAGES]

    def read(self, patience_seconds: float = -1) -> Known:
        """Everything up to now. Raises Unavailable while broker or store are away, and where another thread has been
        reading for `patience_seconds` (default: waits for it)."""
        if not self._one.acquire(timeout=patience_seconds):
            raise Unavailable(f"Reading the state from the bus has not come to an end within {patience_seconds:g} s.")
        try:
            return self._read()
        finally:
            self._one.release()

    def start(self, run: Run, contents: RunContents) -> None:
        """Contents first, then the run: who hears of it can open it."""
        if not self.store.exists(run.contents):
            self.store.put(run.contents, contents.encode())
        self.bus.publish(topic("runs").name, run.key, run.encode())

    def close(self) -> None:
        """A later read opens anew what it needs."""
        followed: list[Kept[Any]] = [self._datasets, self._features, self._runs, self._results, *self._letters]
        with self._one:
            for kept in followed:
                kept.follower.close()

    def _read(self) -> Known:
        told = self._results.read()
        return Known(
            datasets=self._datasets.read(),
            features=self._features.read(),
            letters={place: said for kept in self._letters for place, said in by_clip(kept.read()).items()},
            runs=self._runs.read(),
            results={key: each for key, each in told.items() if isinstance(each, RunResult)},
            folds={key: each for key, each in told.items() if isinstance(each, FoldResult)},
        )
