"""One uploaded dataset: from its objects to records on `mer.sources` and its own record on `mer.datasets`."""

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.ingest.inbox import ledger as ledgers
from services.ingest.inbox.archive_cache import ArchiveCache
from services.ingest.inbox.dropped_files import DatasetContents, collect_contents
from services.ingest.inbox.dry_discovery import DiscoveryView
from services.ingest.inbox.guarded_reading import GuardedReading
from services.ingest.inbox.ledger import Ledger
from services.ingest.inbox.record_publisher import RecordPublisher
from shared.bus import Bus
from shared.dataset_notices import Confirmation, announce_dataset, withdraw_dataset
from shared.errors import Unavailable
from shared.records import Dataset, Pipeline
from shared.scratch import ScratchFolder
from shared.store import ObjectInfo, Store

log = logging.getLogger(__name__)

DroppedObjects = Sequence[tuple[str, ObjectInfo]]  # path inside the dataset, object
AnnouncedDatasets = Mapping[str, Dataset]  # the dataset's own records on the bus, by message key
CurrencyCheck = Callable[
    [str], bool
]  # whether the objects, and the record with this key, are still those that were read


@dataclass(frozen=True)
class Reconciler:
    """Brings the records of a dataset up to date. It may be repeated or killed at any time: the effect happens once."""

    inbox: Store
    store: Store
    bus: Bus
    scratch: ScratchFolder
    unpacked: ArchiveCache
    patience: float  # seconds
    beat: Callable[[], None]
    reading: GuardedReading
    note_progress: Callable[[], None]  # called whenever a part of a ledger is stored

    def reconcile_dataset(
        self,
        name: str,
        dropped: DroppedObjects,
        quiet: bool,
        announced: AnnouncedDatasets,
        is_current: CurrencyCheck,
        others: Iterable[Dataset] = (),
    ) -> Dataset:
        """Publish what is missing. Returns the dataset's record. `quiet`: no uploads for `patience` seconds.

        A dataset with clips of `others` is announced with a fault and without clips. Raises Unavailable if features
        would be withdrawn and `dropped` or `announced` is not current any more.
        """
        held = collect_contents(dropped, self.unpacked)
        for note in held.notes:
            log.info("%s", note, extra={"mer": {"dataset": name}})
        ledger = self._load_ledger(name, announced)
        seen, lengths = self.reading.discover_dataset(name, held, self.scratch.work, ledger.video_lengths)
        _refuse_claimed_clips(name, seen, others)
        ledger = ledger.model_copy(update={"video_lengths": lengths})
        emission = self._create_publisher(name, _planned_pipeline(seen, announced), held, ledger)
        emission.publish_clips(seen.clips, self.patience, quiet)
        dataset = _describe_dataset(emission, seen, quiet)
        emission.forget_missing_clips(dataset)
        self._announce_dataset(dataset, announced, is_current)
        emission.finish_ledger(dataset.key)
        return dataset

    def announce_fault(self, name: str, fault: str, announced: AnnouncedDatasets, is_current: CurrencyCheck) -> Dataset:
        """Announce that a dataset could not be read: with its present clips, if it has any, and this fault."""
        present = next(iter(announced.values()), Dataset(name=name, clips={}, complete=False))
        dataset = Dataset(
            name=name,
            pipeline=present.pipeline,
            train=present.train,
            clips=present.clips,
            faults=(fault,),
            complete=False,
        )
        self._announce_dataset(dataset, announced, is_current)
        return dataset

    def remove_dataset(self, name: str, announced: AnnouncedDatasets, is_current: CurrencyCheck) -> None:
        """Withdraw the records of a dataset that was removed, so that nobody waits for it. Raises as above."""
        for dataset in announced.values():
            withdraw_dataset(self.bus, self.store, dataset, self._confirm_by(is_current, dataset))
        ledgers.delete_ledger(self.store, name)
        self.reading.refused.forget_dataset(name)

    def _create_publisher(
        self, name: str, pipeline: Pipeline, held: DatasetContents, ledger: Ledger
    ) -> RecordPublisher:
        return RecordPublisher(
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
            reading=self.reading,
            note_progress=self.note_progress,
        )

    def _announce_dataset(self, dataset: Dataset, announced: AnnouncedDatasets, is_current: CurrencyCheck) -> None:
        """Publish the dataset's record unless an equal one is there. Withdraw its records under other pipelines."""
        previous = announced.get(dataset.key)
        if not is_same_dataset(dataset, previous):
            announce_dataset(self.bus, self.store, dataset, previous, self._confirm_by(is_current, dataset))
        for key, other in announced.items():
            if key != dataset.key:
                withdraw_dataset(self.bus, self.store, other, self._confirm_by(is_current, other))

    def _confirm_by(self, is_current: CurrencyCheck, dataset: Dataset) -> Confirmation:
        """Raise Unavailable if this process was stopped for so long that another inbox went on with the dataset.

        One that was stopped later, while it sends a withdrawal, announces what it knew. So others repair it.
        """

        def confirm() -> None:
            if not is_current(dataset.key):
                raise Unavailable(
                    f"{dataset.name} changed while it was read, or another inbox announced it. It is read again."
                )

        return confirm

    def _load_ledger(self, name: str, announced: AnnouncedDatasets) -> Ledger:
        """The ledger. If the bus has lost the dataset's record, it says of no clip that it was published."""
        ledger = ledgers.load_ledger(self.store, name)
        return ledger.without_publications() if ledger.announced and ledger.announced not in announced else ledger


def _refuse_claimed_clips(name: str, seen: DiscoveryView, others: Iterable[Dataset]) -> None:
    """Keep no clip of a dataset that names clips of another one: reports would mix both."""
    found = {clip.found.sample.identity for clip in seen.clips}
    for other in others:
        if claimed := found & other.clips.keys():
            seen.clips = []
            seen.faults.append(
                f"{name}: expected clips of its own, but {len(claimed)}, such as {min(claimed)}, are those of the "
                f"dataset {other.name}. Correct the column `dataset` of clips.csv, or remove one of the two."
            )
            return


def is_same_dataset(dataset: Dataset, other: Dataset | None) -> bool:
    """Whether both records are equal except for their time."""
    return other is not None and dataset == other.model_copy(update={"created": dataset.created})


def _describe_dataset(emission: RecordPublisher, seen: DiscoveryView, quiet: bool) -> Dataset:
    faults = (*seen.faults, *emission.faults)
    return Dataset(
        name=emission.dataset,
        pipeline=emission.pipeline,
        train=seen.plan.train if seen.plan else {},
        clips=emission.versions,
        faults=faults,
        complete=bool(emission.versions) and (quiet or not faults),
    )


def _planned_pipeline(seen: DiscoveryView, announced: AnnouncedDatasets) -> Pipeline:
    """The pipeline of the dataset's plan. If the plan cannot be read, the pipeline of its present record."""
    if seen.plan is not None:
        return seen.plan.pipeline
    return next((dataset.pipeline for dataset in announced.values()), Pipeline())
