"""One dropped dataset: what lies there -> records on `mer.sources`, and what it consists of on `mer.datasets`."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.ingest.inbox import ledger as ledgers
from services.ingest.inbox.archive_cache import Unpacked
from services.ingest.inbox.dropped_files import Contents, contents
from services.ingest.inbox.dry_discovery import View, view
from services.ingest.inbox.ledger import Ledger
from services.ingest.inbox.record_publisher import Emission
from services.ingest.inbox.scratch import Scratch
from shared.bus import Bus
from shared.records import Dataset, Pipeline
from shared.store import Entry, Store

TOPIC = "mer.datasets"

Dropped = Sequence[tuple[str, Entry]]  # path inside the dataset, object
Announced = Mapping[str, Dataset]  # the dataset's own records as the bus has them, by message key


@dataclass(frozen=True)
class Reconciler:
    """Repeated at any time, killed at any time: the effect is there once."""

    inbox: Store
    store: Store
    bus: Bus
    scratch: Scratch
    unpacked: Unpacked
    patience: float  # seconds
    beat: Callable[[], None]

    def reconcile(self, name: str, dropped: Dropped, quiet: bool, announced: Announced) -> Dataset:
        """What is announced now. `quiet`: nothing has come for so long that what is missing will not come."""
        held = contents(dropped, self.unpacked)
        seen = view(name, held, self.inbox, self.scratch.work)
        emission = self._emission(name, _pipeline(seen, announced), held, self._ledger(name, announced))
        emission.emit(seen.clips, self.patience, quiet)
        dataset = _described(emission, seen, quiet)
        self._announce(dataset, announced)
        if emission.ledger.announced != dataset.key:
            emission.ledger = emission.ledger.model_copy(update={"announced": dataset.key})
            emission.save()
        return dataset

    def remove(self, name: str, announced: Announced) -> None:
        """It lies there no more, so nobody is to wait for it."""
        for key in announced:
            self.bus.publish(TOPIC, key, None)
        ledgers.forget(self.store, name)

    def _emission(self, name: str, pipeline: Pipeline, held: Contents, ledger: Ledger) -> Emission:
        return Emission(
            dataset=name,
            pipeline=pipeline,
            contents=held,
            inbox=self.inbox,
            store=self.store,
            bus=self.bus,
            scratch=self.scratch.work,
            trace=uuid.uuid4().hex,
            ledger=ledger,
            beat=self.beat,
        )

    def _announce(self, dataset: Dataset, announced: Announced) -> None:
        """Unless just that is announced. Under another pipeline it is announced no more."""
        if not same(dataset, announced.get(dataset.key)):
            self.bus.publish(TOPIC, dataset.key, dataset.encode())
        for key in announced:
            if key != dataset.key:
                self.bus.publish(TOPIC, key, None)

    def _ledger(self, name: str, announced: Announced) -> Ledger:
        """An empty one where the bus has lost what it was told: then it is told again."""
        ledger = ledgers.load(self.store, name)
        return Ledger() if ledger.announced and ledger.announced not in announced else ledger


def same(dataset: Dataset, other: Dataset | None) -> bool:
    """Whether both say the same, whenever they were said."""
    return other is not None and dataset == other.model_copy(update={"created": dataset.created})


def _described(emission: Emission, seen: View, quiet: bool) -> Dataset:
    faults = (*seen.faults, *emission.faults)
    return Dataset(
        name=emission.dataset,
        pipeline=emission.pipeline,
        train=seen.plan.train if seen.plan else {},
        clips=emission.recipes,
        faults=faults,
        complete=bool(emission.recipes) and (quiet or not faults),
    )


def _pipeline(seen: View, announced: Announced) -> Pipeline:
    """As its plan says. While that can't be read, the dataset stays under the pipeline that it was announced with."""
    if seen.plan is not None:
        return seen.plan.pipeline
    return next((dataset.pipeline for dataset in announced.values()), Pipeline())
