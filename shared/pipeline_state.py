"""The state of datasets, features and runs, read from bus and store by the run starter and the console."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.bus import Bus
from shared.bus.topics import RESULTS, RUNS, TOPIC_BY_GROUP
from shared.dataset_notices import dataset_view
from shared.dataset_progress import DatasetProgress, measure_progress
from shared.errors import Unavailable
from shared.feature_index import FeatureIndex, FeaturesView
from shared.progress_cache import ProgressCache
from shared.records import Dataset, FoldResult, Run, RunResult, result_type, run_cancellation_key
from shared.run_contents import RunContents
from shared.store import Store
from shared.topic_views import FailureSentences, dead_letter_view, record_view
from shared.training import definition

SplitResults = tuple[Mapping[str, RunResult], Mapping[str, FoldResult]]


@dataclass(frozen=True)
class PipelineSnapshot:
    """The state at one moment. Records are by message key, the newest last."""

    datasets: Mapping[str, Dataset]
    features: FeatureIndex
    failure_sentences: Mapping[str, str]  # of dead letters
    letter_counts: Mapping[str, int]  # outstanding dead letters by group
    runs: Mapping[str, Run]
    results: Mapping[str, RunResult]
    folds: Mapping[str, FoldResult]
    measured: ProgressCache[Dataset, DatasetProgress]

    def progress_of(self, dataset: Dataset) -> DatasetProgress:
        """The same object as in an earlier snapshot if nothing of the dataset has changed."""
        return self.measured.find_progress(dataset, self.features, self.failure_sentences)


class PipelineState:
    """Views of the topics, for several threads. One thread reads at a time, and each reads only what is new."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self.bus, self.store = bus, store
        self._read_lock = threading.Lock()
        self._datasets = dataset_view(bus, store)
        self._features = FeaturesView(bus)
        self._runs = record_view(bus, RUNS.name, lambda key: Run)
        self._results = record_view(bus, RESULTS.name, result_type)
        self._letters = {group: dead_letter_view(bus, store, group) for group in TOPIC_BY_GROUP}
        self._failures = FailureSentences(self._letters.values())
        self._measured = ProgressCache(measure_progress)
        self._split: tuple[Mapping[str, RunResult | FoldResult], SplitResults] = {}, ({}, {})

    def read_snapshot(self, patience_seconds: float = -1) -> PipelineSnapshot:
        """The present state. Waits up to `patience_seconds` for another thread that reads, by default without a limit.

        Raises Unavailable if the broker or the store is away, or the other thread does not finish in time.
        """
        if not self._read_lock.acquire(timeout=patience_seconds):
            raise Unavailable(f"The state on the bus could not be read within {patience_seconds:g} s.")
        try:
            return self._read_topics()
        finally:
            self._read_lock.release()

    def publish_run(self, run: Run, contents: RunContents) -> None:
        """Store the contents first, then publish the run: every reader of the message can open it."""
        if not self.store.exists(run.contents_key):
            self.store.put(run.contents_key, contents.encode())
        self.bus.publish(RUNS.name, run.key, run.encode())

    def was_stopped(self, run: str) -> bool:
        """Whether a person cancelled or deleted the run with this id, and nobody asked for it again."""
        return self.store.exists(run_cancellation_key(run))

    def withdraw_ending(self, run: Run) -> None:
        """Forget that a run has failed, was cancelled or deleted, so that it can be published again."""
        self.store.delete(run.cancellation_key)
        self.bus.publish(RESULTS.name, run.id, None)

    def cancel_run(self, run: Run, reason: str) -> None:
        """End a run before it is done. Workers stop its folds within seconds; stored folds stay.

        The result comes first: if this ends between the two, the run goes on and may be cancelled again.
        """
        result = definition.cancelled_result(run, reason)
        self.bus.publish(RESULTS.name, result.key, result.encode())
        self.store.put(run.cancellation_key, b"")

    def close(self) -> None:
        """Close the views. A later read opens them again."""
        views: list[Any] = [self._datasets, self._features, self._runs, self._results, self._failures]
        with self._read_lock:
            for view in views:
                view.close()

    def _read_topics(self) -> PipelineSnapshot:
        results, datasets = self._results.read_newest(), self._datasets.read_newest()
        if results is not self._split[0]:
            self._split = results, split_results(results)
        self._measured.keep_only(datasets.values())
        return PipelineSnapshot(
            datasets=datasets,
            features=self._features.read_newest(),
            failure_sentences=self._failures.read_newest(),
            letter_counts={group: view.message_count for group, view in self._letters.items()},
            runs=self._runs.read_newest(),
            results=self._split[1][0],
            folds=self._split[1][1],
            measured=self._measured,
        )


def split_results(found: Mapping[str, RunResult | FoldResult]) -> SplitResults:
    """Those of runs and those of folds."""
    runs = {key: each for key, each in found.items() if isinstance(each, RunResult)}
    return runs, {key: each for key, each in found.items() if isinstance(each, FoldResult)}
