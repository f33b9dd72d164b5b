"""The scan of the inbox: every dataset is reconciled after it has changed and settled."""

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.ingest.inbox import ledger as ledgers
from services.ingest.inbox.listing import DatasetListing, InboxListings, describe_objects
from services.ingest.inbox.metrics import InboxMetrics
from services.ingest.inbox.reconcile import (
    AnnouncedDatasets,
    CurrencyCheck,
    DroppedObjects,
    Reconciler,
    is_same_dataset,
)
from services.ingest.inbox.visit_marks import VisitMarks
from shared.errors import BadData, MerError
from shared.records import Dataset
from shared.store import Store
from shared.topic_views import TopicView
from shared.worker.retry import is_transient

log = logging.getLogger(__name__)

CLOCK_KEY = "inbox-clock"

Clock = Callable[[], datetime]


def server_clock(store: Store) -> Clock:
    """The clock that dates uploads, since ours may be wrong: the date of an object that is put now."""

    def server_now() -> datetime:
        store.put(CLOCK_KEY, b"now")
        return next(entry.modified for entry in store.list_objects(CLOCK_KEY) if entry.key == CLOCK_KEY)

    return server_now


@dataclass(frozen=True)
class LastVisit:
    """The state of a dataset when it was last reconciled, and the result."""

    signature: str
    quiet: bool
    dataset: Dataset
    others: frozenset[tuple[str, datetime]]  # keys and times of the other datasets


class InboxScan:
    """Scans all datasets and remembers their states. A new process reconciles every dataset once."""

    def __init__(
        self,
        reconciler: Reconciler,
        announced: TopicView[Dataset],
        listings: InboxListings,
        metrics: InboxMetrics,
        clock: Clock,
        settle: float,
        marks: VisitMarks,
    ) -> None:
        self.reconciler, self.announced, self.listings, self.metrics = reconciler, announced, listings, metrics
        self.clock, self.settle, self.marks = clock, settle, marks
        self._visited: dict[str, LastVisit] = {}

    def scan_datasets(self) -> float:
        """Scan once. Returns the seconds until a dataset is due without an upload.

        Raises the first transient error after all datasets were visited.
        """
        now = self.clock()
        present, announced = self.listings.refresh_listings(now), _announced_datasets(self.announced)
        self.reconciler.unpacked.keep_only(self.listings.list_archives())
        self._forget_removed(set(present), announced, now)
        current = {
            name: max(announced[name].values(), key=lambda each: each.created) for name in announced if name in present
        }
        due, errors = math.inf, []
        for name in sorted(present):
            self.reconciler.beat()
            try:
                others = [dataset for other, dataset in current.items() if other != name]
                due = min(due, self._visit_dataset(name, present[name], now, announced[name], others))
                if name in self._visited:
                    current[name] = self._visited[name].dataset
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning(
                    "dataset %s failed, next attempt follows: %r", name, error, extra={"mer": {"dataset": name}}
                )
                self._visited.pop(name, None)
                errors.append(error)
        if errors:
            raise errors[0]
        return due

    def _visit_dataset(
        self,
        name: str,
        listing: DatasetListing,
        now: datetime,
        announced: AnnouncedDatasets,
        others: Sequence[Dataset],
    ) -> float:
        """Reconcile a dataset if needed. Returns the seconds until it is due again without an upload."""
        age = (now - listing.newest).total_seconds()
        quiet = age >= self.reconciler.patience
        marks = frozenset((each.key, each.created) for each in others)
        if age >= self.settle and not self._is_known(name, listing.digest, quiet, announced, marks):
            listing, dropped = self.listings.list_dataset(name, now)
            age = (now - listing.newest).total_seconds()
            quiet = age >= self.reconciler.patience
            if dropped and age >= self.settle:
                is_current = self._currency_check(name, listing.digest, announced, now)
                dataset = self._reconcile_dataset(name, listing.digest, dropped, quiet, announced, is_current, others)
                known = announced.get(dataset.key)
                if known is not None and is_same_dataset(dataset, known):
                    dataset = known  # of 750,000 clips only one copy is in memory
                self._visited[name] = LastVisit(listing.digest, quiet, dataset, marks)
        if age < self.settle:
            return self.settle - age
        return math.inf if quiet else self.reconciler.patience - age

    def _is_known(
        self,
        name: str,
        signature: str,
        quiet: bool,
        announced: AnnouncedDatasets,
        others: frozenset[tuple[str, datetime]],
    ) -> bool:
        """Whether another visit would find nothing new: the same objects, the same quiet, the same record.

        One without clips may have been refused for the sake of another dataset, which may be gone.
        """
        last = self._visited.get(name)
        if last is None or last.signature != signature or not (last.dataset.clips or last.others == others):
            return False
        waits = last.dataset.faults and quiet and not last.quiet
        return not waits and is_same_dataset(last.dataset, announced.get(last.dataset.key)) and len(announced) == 1

    def _reconcile_dataset(
        self,
        name: str,
        signature: str,
        dropped: DroppedObjects,
        quiet: bool,
        announced: AnnouncedDatasets,
        is_current: CurrencyCheck,
        others: Sequence[Dataset],
    ) -> Dataset:
        """Reconcile one dataset. An unexpected error becomes its fault, until it changes. Others continue."""
        try:
            with self.marks.watch_visit(name, signature):
                dataset = self.reconciler.reconcile_dataset(name, dropped, quiet, announced, is_current, others)
        except Exception as error:
            if is_transient(error) or (isinstance(error, MerError) and not isinstance(error, BadData)):
                raise
            log.exception("dataset %s is ignored until it changes", name, extra={"mer": {"dataset": name}})
            sentence = str(error)
            if not isinstance(error, BadData):
                what = f"{type(error).__name__}: {error}"
                sentence = f"{name}: expected a dataset that can be read, got {what}. Correct it."
            dataset = self.reconciler.announce_fault(name, sentence, announced, is_current)
        clips, faults = len(dataset.clips), len(dataset.faults)
        self.metrics.set_clip_counts(name, clips, faults)
        log.info("%d clips, %d faults", clips, faults, extra={"mer": {"dataset": name}})
        return dataset

    def _currency_check(self, name: str, signature: str, announced: AnnouncedDatasets, now: datetime) -> CurrencyCheck:
        """Whether a dataset still has the objects with this signature, and a record is still that of `announced`."""

        def is_current(key: str) -> bool:
            listing, _ = self.listings.list_dataset(name, now)
            return listing.digest == signature and self.announced.read_newest().get(key) == announced.get(key)

        return is_current

    def _forget_removed(self, present: set[str], announced: dict[str, dict[str, Dataset]], now: datetime) -> None:
        nothing = describe_objects([], now).digest
        for name in sorted((ledgers.recorded_datasets(self.reconciler.store) | set(announced)) - present):
            self._visited.pop(name, None)
            is_current = self._currency_check(name, nothing, announced[name], now)
            self.reconciler.remove_dataset(name, announced[name], is_current)
            self.metrics.forget_dataset(name)
            log.info("dataset removed", extra={"mer": {"dataset": name}})


def _announced_datasets(announced: TopicView[Dataset]) -> dict[str, dict[str, Dataset]]:
    """The records of each dataset, by its name and their keys. A record of another version is left alone."""
    found: dict[str, dict[str, Dataset]] = defaultdict(dict)
    for key, dataset in announced.read_newest().items():
        found[dataset.name][key] = dataset
    return found
