"""The scan of the inbox: every dataset is reconciled after it has changed and settled."""

import logging
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.ingest.inbox import ledger as ledgers
from services.ingest.inbox import names
from services.ingest.inbox.metrics import InboxMetrics
from services.ingest.inbox.reconcile import AnnouncedDatasets, DroppedObjects, Reconciler, is_same_dataset
from shared.errors import BadData, MerError
from shared.records import Dataset, json_digest
from shared.store import ObjectInfo, Store
from shared.topic_views import TopicView
from shared.worker.retry import is_transient

log = logging.getLogger(__name__)

CLOCK_KEY = "inbox-clock"
FUTURE_SECONDS = 60.0  # more than two clocks of one server differ

Clock = Callable[[], datetime]


def server_clock(store: Store) -> Clock:
    """The clock that dates uploads, since ours may be wrong: the date of an object that is put now."""

    def server_now() -> datetime:
        store.put(CLOCK_KEY, b"now")
        return next(entry.modified for entry in store.list_objects(CLOCK_KEY) if entry.key == CLOCK_KEY)

    return server_now


def is_future(entry: ObjectInfo, now: datetime) -> bool:
    """Whether an object's date lies in the future. A folder keeps the date that a camera or a copy gave a file."""
    return (entry.modified - now).total_seconds() > FUTURE_SECONDS


@dataclass(frozen=True)
class LastVisit:
    """The state of a dataset when it was last reconciled, and the result."""

    signature: str
    quiet: bool
    dataset: Dataset | None  # None after an unexpected error


class InboxScan:
    """Scans all datasets and remembers their states. A new process reconciles every dataset once."""

    def __init__(
        self, reconciler: Reconciler, announced: TopicView[Dataset], metrics: InboxMetrics, clock: Clock, settle: float
    ) -> None:
        self.reconciler, self.announced, self.metrics = reconciler, announced, metrics
        self.clock, self.settle = clock, settle
        self._visited: dict[str, LastVisit] = {}

    def scan_datasets(self) -> float:
        """Scan once. Returns the seconds until a dataset is due without an upload.

        Raises the first transient error after all datasets were visited.
        """
        now, entries = self.clock(), list(self.reconciler.inbox.list_objects())
        dropped, announced = _group_by_dataset(entries), _announced_datasets(self.announced)
        self.reconciler.unpacked.keep_only([entry for entry in entries if names.is_archive(entry.key)])
        self._forget_removed(set(dropped), announced)
        due, errors = math.inf, []
        for name in sorted(dropped):
            self.reconciler.beat()
            age = self._age_of(name, dropped[name], now)
            try:
                due = min(due, self._visit_dataset(name, dropped[name], age, announced[name]))
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning(
                    "dataset %s failed, next attempt follows: %r", name, error, extra={"mer": {"dataset": name}}
                )
                errors.append(error)
        if errors:
            raise errors[0]
        return due

    def _age_of(self, name: str, dropped: DroppedObjects, now: datetime) -> float:
        """Seconds since the newest object. A date in the future says nothing about uploads, and is named once."""
        future = sorted(entry.key for _, entry in dropped if is_future(entry, now))
        if future and name not in self._visited:
            log.warning(
                "%s: expected dates up to now, got %d files dated in the future, such as %s. They are not waited for",
                *(name, len(future), future[0]),
                extra={"mer": {"dataset": name}},
            )
        ages = ((now - entry.modified).total_seconds() for _, entry in dropped if not is_future(entry, now))
        return min(ages, default=math.inf)

    def _visit_dataset(self, name: str, dropped: DroppedObjects, age: float, announced: AnnouncedDatasets) -> float:
        """Reconcile a dataset if needed. Returns the seconds until it is due again without an upload."""
        if age < self.settle:
            return self.settle - age
        quiet = age >= self.reconciler.patience
        signature = json_digest(sorted([entry.key, entry.etag, entry.size] for _, entry in dropped))
        if not self._is_known(name, signature, quiet, announced):
            self._visited[name] = LastVisit(signature, quiet, self._reconcile_dataset(name, dropped, quiet, announced))
        return math.inf if quiet else self.reconciler.patience - age

    def _is_known(self, name: str, signature: str, quiet: bool, announced: AnnouncedDatasets) -> bool:
        """Whether another visit would find nothing new: the same objects, the same quiet, the same record."""
        last = self._visited.get(name)
        if last is None or last.signature != signature:
            return False
        if last.dataset is None:
            return True
        waits = last.dataset.faults and quiet and not last.quiet
        return not waits and is_same_dataset(last.dataset, announced.get(last.dataset.key)) and len(announced) == 1

    def _reconcile_dataset(
        self, name: str, dropped: DroppedObjects, quiet: bool, announced: AnnouncedDatasets
    ) -> Dataset | None:
        """Reconcile one dataset. After an unexpected error it is ignored until it changes. Others continue."""
        try:
            dataset = self.reconciler.reconcile_dataset(name, dropped, quiet, announced)
        except Exception as error:
            if is_transient(error) or (isinstance(error, MerError) and not isinstance(error, BadData)):
                raise
            log.exception("dataset %s is ignored until it changes", name, extra={"mer": {"dataset": name}})
            return None
        clips, faults = len(dataset.clips), len(dataset.faults)
        self.metrics.set_clip_counts(name, clips, faults)
        log.info("%d clips, %d faults", clips, faults, extra={"mer": {"dataset": name}})
        return dataset

    def _forget_removed(self, present: set[str], announced: dict[str, dict[str, Dataset]]) -> None:
        for name in sorted((ledgers.recorded_datasets(self.reconciler.store) | set(announced)) - present):
            self.reconciler.remove_dataset(name, announced[name])
            self.metrics.forget_dataset(name)
            self._visited.pop(name, None)
            log.info("dataset removed", extra={"mer": {"dataset": name}})


def _group_by_dataset(entries: list[ObjectInfo]) -> dict[str, list[tuple[str, ObjectInfo]]]:
    found: dict[str, list[tuple[str, ObjectInfo]]] = defaultdict(list)
    for entry in entries:
        if dataset_and_path := names.dataset_and_path(entry.key):
            dataset, path = dataset_and_path
            found[dataset].append((path, entry))
    return found


def _announced_datasets(announced: TopicView[Dataset]) -> dict[str, dict[str, Dataset]]:
    """The records of each dataset, by its name and their keys. A record of another version is left alone."""
    found: dict[str, dict[str, Dataset]] = defaultdict(dict)
    for key, dataset in announced.read_newest().items():
        found[dataset.name][key] = dataset
    return found
