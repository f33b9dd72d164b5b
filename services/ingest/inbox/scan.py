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
from services.ingest.inbox.reconcile import Announced, Dropped, Reconciler, same
from shared.bus import Follower
from shared.errors import BadData, MerError
from shared.records import Dataset, digest
from shared.store import Entry, Store
from shared.worker.retry import is_trouble

log = logging.getLogger(__name__)

CLOCK = "inbox-clock"

Clock = Callable[[], datetime]


def server_clock(store: Store) -> Clock:
    """The clock that dates what is dropped, since ours may go wrong: the date of something put just now."""

    def now() -> datetime:
        store.put(CLOCK, b"now")
        return next(entry.modified for entry in store.entries(CLOCK) if entry.key == CLOCK)

    return now


@dataclass(frozen=True)
class Looked:
    """How a dataset lay when it was last looked at, and what came of it."""

    signature: str
    quiet: bool
    dataset: Dataset | None  # None after a surprise


class Scan:
    """Remembers what it looked at. A process that starts looks at everything once."""

    def __init__(
        self, reconciler: Reconciler, announced: Follower, metrics: InboxMetrics, clock: Clock, settle: float
    ) -> None:
        self.reconciler, self.announced, self.metrics = reconciler, announced, metrics
        self.clock, self.settle = clock, settle
        self._looked: dict[str, Looked] = {}

    def scan(self) -> float:
        """Seconds until something is due by time alone. Raises the first trouble when all datasets had their turn."""
        now, entries = self.clock(), list(self.reconciler.inbox.entries())
        dropped, announced = _by_dataset(entries), _announced(self.announced)
        self.reconciler.unpacked.keep([entry for entry in entries if names.is_archive(entry.key)])
        self._forget_removed(set(dropped), announced)
        due, troubles = math.inf, []
        for name in sorted(dropped):
            self.reconciler.beat()
            age = (now - max(entry.modified for _, entry in dropped[name])).total_seconds()
            try:
                due = min(due, self._visit(name, dropped[name], age, announced[name]))
            except Exception as error:
                if not is_trouble(error):
                    raise
                log.warning("%s has to wait: %r", name, error, extra={"mer": {"dataset": name}})
                troubles.append(error)
        if troubles:
            raise troubles[0]
        return due

    def _visit(self, name: str, dropped: Dropped, age: float, announced: Announced) -> float:
        """Seconds until it is due again by time alone."""
        if age < self.settle:
            return self.settle - age
        quiet = age >= self.reconciler.patience
        signature = digest(sorted([entry.key, entry.etag, entry.size] for _, entry in dropped))
        if not self._is_known(name, signature, quiet, announced):
            self._looked[name] = Looked(signature, quiet, self._look(name, dropped, quiet, announced))
        return math.inf if quiet else self.reconciler.patience - age

    def _is_known(self, name: str, signature: str, quiet: bool, announced: Announced) -> bool:
        """Whether another look would find nothing new: the same objects, as patient, and announced so."""
        looked = self._looked.get(name)
        if looked is None or looked.signature != signature:
            return False
        if looked.dataset is None:
            return True
        waits = looked.dataset.faults and quiet and not looked.quiet
        return not waits and same(looked.dataset, announced.get(looked.dataset.key)) and len(announced) == 1

    def _look(self, name: str, dropped: Dropped, quiet: bool, announced: Announced) -> Dataset | None:
        """A surprise stops this dataset until it changes, and no other."""
        try:
            dataset = self.reconciler.reconcile(name, dropped, quiet, announced)
        except Exception as error:
            if is_trouble(error) or (isinstance(error, MerError) and not isinstance(error, BadData)):
                raise
            log.exception("%s is passed over until it changes", name, extra={"mer": {"dataset": name}})
            return None
        clips, faults = len(dataset.clips), len(dataset.faults)
        self.metrics.tell(name, clips, faults)
        log.info("%d clips, %d faults", clips, faults, extra={"mer": {"dataset": name}})
        return dataset

    def _forget_removed(self, present: set[str], announced: dict[str, dict[str, Dataset]]) -> None:
        for name in sorted((ledgers.datasets(self.reconciler.store) | set(announced)) - present):
            self.reconciler.remove(name, announced[name])
            self.metrics.forget(name)
            self._looked.pop(name, None)
            log.info("removed", extra={"mer": {"dataset": name}})


def _by_dataset(entries: list[Entry]) -> dict[str, list[tuple[str, Entry]]]:
    found: dict[str, list[tuple[str, Entry]]] = defaultdict(list)
    for entry in entries:
        if place := names.placed(entry.key):
            found[place[0]].append((place[1], entry))
    return found


def _announced(follower: Follower) -> dict[str, dict[str, Dataset]]:
    """Every dataset's own records, by its name and their keys; those of another version are left alone."""
    found: dict[str, dict[str, Dataset]] = defaultdict(dict)
    for key, message in follower.read().items():
        try:
            dataset = Dataset.decode(message.value)
        except BadData as fault:
            log.warning("%s", fault)
            continue
        found[dataset.name][key] = dataset
    return found
