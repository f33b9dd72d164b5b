"""The reconcile scan: every dataset that lies in the inbox is looked at when it has changed and settled."""

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

Clock = Callable[[], datetime]


def server_clock(store: Store) -> Clock:
    """The clock that dates what is dropped, since ours may go wrong: the date of something put just now."""

    def server_now() -> datetime:
        store.put(CLOCK_KEY, b"now")
        return next(entry.modified for entry in store.list_objects(CLOCK_KEY) if entry.key == CLOCK_KEY)

    return server_now


@dataclass(frozen=True)
class LastLook:
    """How a dataset lay when it was last looked at, and what came of it."""

    signature: str
    quiet: bool
    dataset: Dataset | None  # None after a surprise


class InboxScan:
    """Remembers what it looked at. A process that starts looks at everything once."""

    def __init__(
        self, reconciler: Reconciler, announced: TopicView[Dataset], metrics: InboxMetrics, clock: Clock, settle: float
    ) -> None:
        self.reconciler, self.announced, self.metrics = reconciler, announced, metrics
        self.clock, self.settle = clock, settle
        self._looked: dict[str, LastLook] = {}

    def scan_datasets(self) -> float:
        """Seconds until something is due by time alone. Raises the first trouble when all datasets had their turn."""
        now, entries = self.clock(), list(self.reconciler.inbox.list_objects())
        dropped, announced = _group_by_dataset(entries), _announced_datasets(self.announced)
        self.reconciler.unpacked.keep_only([entry for entry in entries if names.is_archive(entry.key)])
        self._forget_removed(set(dropped), announced)
        due, troubles = math.inf, []
        for name in sorted(dropped):
            self.reconciler.beat()
            age = (now - max(entry.modified for _, entry in dropped[name])).total_seconds()
            try:
                due = min(due, self._visit_dataset(name, dropped[name], age, announced[name]))
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("%s has to wait: %r", name, error, extra={"mer": {"dataset": name}})
                troubles.append(error)
        if troubles:
            raise troubles[0]
        return due

    def _visit_dataset(self, name: str, dropped: DroppedObjects, age: float, announced: AnnouncedDatasets) -> float:
        """Seconds until it is due again by time alone."""
        if age < self.settle:
            return self.settle - age
        quiet = age >= self.reconciler.patience
        signature = json_digest(sorted([entry.key, entry.etag, entry.size] for _, entry in dropped))
        if not self._is_known(name, signature, quiet, announced):
            self._looked[name] = LastLook(signature, quiet, self._reconcile_dataset(name, dropped, quiet, announced))
        return math.inf if quiet else self.reconciler.patience - age

    def _is_known(self, name: str, signature: str, quiet: bool, announced: AnnouncedDatasets) -> bool:
        """Whether another look would find nothing new: the same objects, as patient, and announced so."""
        looked = self._looked.get(name)
        if looked is None or looked.signature != signature:
            return False
        if looked.dataset is None:
            return True
        waits = looked.dataset.faults and quiet and not looked.quiet
        return not waits and is_same_dataset(looked.dataset, announced.get(looked.dataset.key)) and len(announced) == 1

    def _reconcile_dataset(
        self, name: str, dropped: DroppedObjects, quiet: bool, announced: AnnouncedDatasets
    ) -> Dataset | None:
        """A surprise stops this dataset until it changes, and no other."""
        try:
            dataset = self.reconciler.reconcile_dataset(name, dropped, quiet, announced)
        except Exception as error:
            if is_transient(error) or (isinstance(error, MerError) and not isinstance(error, BadData)):
                raise
            log.exception("%s is passed over until it changes", name, extra={"mer": {"dataset": name}})
            return None
        clips, faults = len(dataset.clips), len(dataset.faults)
        self.metrics.set_clip_counts(name, clips, faults)
        log.info("%d clips, %d faults", clips, faults, extra={"mer": {"dataset": name}})
        return dataset

    def _forget_removed(self, present: set[str], announced: dict[str, dict[str, Dataset]]) -> None:
        for name in sorted((ledgers.recorded_datasets(self.reconciler.store) | set(announced)) - present):
            self.reconciler.remove_dataset(name, announced[name])
            self.metrics.forget_dataset(name)
            self._looked.pop(name, None)
            log.info("removed", extra={"mer": {"dataset": name}})


def _group_by_dataset(entries: list[ObjectInfo]) -> dict[str, list[tuple[str, ObjectInfo]]]:
    found: dict[str, list[tuple[str, ObjectInfo]]] = defaultdict(list)
    for entry in entries:
        if place := names.dataset_and_path(entry.key):
            found[place[0]].append((place[1], entry))
    return found


def _announced_datasets(announced: TopicView[Dataset]) -> dict[str, dict[str, Dataset]]:
    """The records of each dataset, by its name and their keys. A record of another version is left alone."""
    found: dict[str, dict[str, Dataset]] = defaultdict(dict)
    for key, dataset in announced.read_newest().items():
        found[dataset.name][key] = dataset
    return found
