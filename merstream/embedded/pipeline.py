"""A dataset through every image stage: discover clips, start workers, watch, report the outcome of each clip."""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from merstream.embedded.run_folder import Workspace
from merstream.embedded.worker_processes import WorkerCrew
from merstream.stages import STAGES
from services.ingest.catalogue.entry import ClipProblem, FoundClip
from services.ingest.catalogue.tree import DatasetTree
from services.ingest.discover import DEFAULT_READING, discover_tree
from services.ingest.source_records import emit_record
from shared.bus.local import LocalBus
from shared.bus.topics import topic_by_short_name
from shared.clip_notes import describe_record_notes
from shared.dataset_notices import announce_dataset, read_datasets
from shared.dataset_progress import measure_progress
from shared.errors import BadData
from shared.feature_index import index_features
from shared.inbox.reading_options import ReadingOptions
from shared.packed_clips import PackedClip
from shared.pipeline_state import PipelineState
from shared.records import Dataset, Pipeline, Record
from shared.settings import KeepPolicy
from shared.storage_faults import stop_on_storage_fault
from shared.store import Store
from shared.training.annotations import subject_id
from shared.training.protocol import LOSO_PROTOCOL, ProtocolSettings

TALLY_INTERVAL_SECONDS = 0.25
DEFAULT_PIPELINE = Pipeline()


@dataclass(frozen=True)
class StageRun:
    """What an embedded run computes: a dataset folder, read in one way, under one pipeline.

    A person under two names is refused as `protocol` says, before the first clip.
    """

    dataset: Path
    pipeline: Pipeline = DEFAULT_PIPELINE
    reading: ReadingOptions = DEFAULT_READING
    retain: KeepPolicy = "all"
    protocol: ProtocolSettings = LOSO_PROTOCOL

    @property
    def name(self) -> str:
        """The dataset's name in the run folder."""
        return self.dataset.resolve().name

    def discover_checked_clips(self, tree: DatasetTree) -> list[FoundClip | ClipProblem]:
        """Every clip of the dataset. Raises BadData for a faulty dataset and for one person under two names."""
        clips = list(discover_tree(tree, reading=self.reading))
        self.protocol.refuse_same_people({subject_id(clip.sample) for clip in clips if isinstance(clip, FoundClip)})
        return clips


@dataclass
class Tally:
    """The state of a run.

    `clips` maps each sample's identity to the version of its records. `done` counts the records of each stage
    since the run started. `waits` says by stage what it waits for. Failures and notes are sentences.
    """

    clips: dict[str, str] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    waits: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def clip_count(self) -> int:
        return len(self.clips)


TallyCallback = Callable[[Tally], None]


@dataclass(frozen=True)
class RunOutcome:
    """One features record per processed clip, and one sentence per clip that failed.

    `notes` are sentences about repaired or doubtful annotation and frames. `dead_letters` has the sentences of the
    clips that failed in a stage, by the sample's identity.
    """

    features: list[Record]
    failures: list[str]
    notes: list[str]
    dead_letters: dict[str, str] = field(default_factory=dict)


def run_stages(
    work: StageRun, workspace: Workspace, *, jobs: int, on_tally: TallyCallback = lambda tally: None
) -> RunOutcome:
    """Compute the features of every clip of the dataset folder. Artifacts of earlier runs in `workspace` are reused.

    Raises BadData if the folder is no dataset or no clip of it can be used, and for one person under two names. Raises
    Misconfigured or MissingWeights if the workers cannot work, StorageRefused if `workspace` cannot be written.
    """
    tree = DatasetTree(work.dataset)
    clips = work.discover_checked_clips(tree)  # before anything is written
    with stop_on_storage_fault(workspace.folder):
        outcome = compute_features(
            clips, work.name, work.pipeline, workspace, jobs=jobs, retain=work.retain, on_tally=on_tally
        )
    outcome = replace(outcome, notes=[*tree.own_outputs, *outcome.notes])
    if not outcome.features:
        raise BadData("No clip has features:\n  " + "\n  ".join(outcome.failures or ["the sheet has no rows."]))
    return outcome


def compute_features(
    clips: Iterable[FoundClip | ClipProblem | PackedClip],
    name: str,
    pipeline: Pipeline,
    workspace: Workspace,
    *,
    jobs: int,
    retain: KeepPolicy = "all",
    on_tally: TallyCallback = lambda tally: None,
) -> RunOutcome:
    """Compute the features of clips, which are one dataset called `name`. They may be made while workers run.

    Raises Misconfigured or MissingWeights if the workers cannot work, and what the clips raise.
    """
    with closing(workspace.open_bus()) as bus:
        emitter = ClipEmitter(workspace.open_store(), pipeline)
        before = {stage.name: _committed_count(bus, stage.name) for stage in STAGES}
        with closing(WorkerCrew(workspace.folder, jobs, retain)) as crew:

            def watch_run() -> bool:
                crew.watch_workers()
                emitter.tally.waits = crew.waits
                return _update_tally(bus, before, emitter.tally, on_tally)

            for _ in emitter.emit_clips(clips, bus):
                watch_run()
            contents = _publish_dataset(name, emitter, bus)
            while watch_run():
                time.sleep(TALLY_INTERVAL_SECONDS)
            return _read_outcome(bus, emitter, contents)


@dataclass(frozen=True)
class ClipEmitter:
    """Publishes the clips of one run as source records, and tallies them."""

    store: Store
    pipeline: Pipeline
    trace: str = field(default_factory=lambda: uuid.uuid4().hex)
    tally: Tally = field(default_factory=Tally)

    def emit_clips(self, clips: Iterable[FoundClip | ClipProblem | PackedClip], bus: LocalBus) -> Iterator[None]:
        """Publish clip by clip, and yield after each one. An unreadable clip becomes a failure and stops no other."""
        for clip in clips:
            if isinstance(clip, ClipProblem):
                self.tally.failures.append(clip.sentence)
            else:
                self._emit_clip(clip, bus)
            yield

    def _emit_clip(self, clip: FoundClip | PackedClip, bus: LocalBus) -> None:
        try:
            record = emit_record(clip, self.pipeline, self.trace, self.store, bus)
        except BadData as fault:
            self.tally.failures.append(str(fault))
            return
        self.tally.clips[record.sample.identity] = record.version
        if isinstance(clip, PackedClip):
            return
        applied = (str(change) for change in clip.changes if change.applied)
        # A note on the whole table is on every clip of it.
        readings = (note for note in clip.label_notes if note not in self.tally.notes)
        self.tally.notes += [*readings, *applied]


def _update_tally(bus: LocalBus, before: dict[str, int], tally: Tally, on_tally: TallyCallback) -> bool:
    """Bring the tally up to date. Returns True while any stage has records left.

    A stage publishes before it commits. So upstream stages are read first, and no record is missed between two.
    """
    depths = {stage.name: bus.group_progress(topic_by_short_name(stage.consumes).name, stage.name) for stage in STAGES}
    tally.done = {name: depth.committed - before[name] for name, depth in depths.items()}
    on_tally(tally)
    return any(depth.lag for depth in depths.values())


def _committed_count(bus: LocalBus, stage: str) -> int:
    consumes = next(each.consumes for each in STAGES if each.name == stage)
    return bus.group_progress(topic_by_short_name(consumes).name, stage).committed


def _publish_dataset(name: str, emitter: ClipEmitter, bus: LocalBus) -> Dataset:
    """Publish the present contents of the dataset. `mer train` reads them and so ignores removed clips."""
    clips, faults = emitter.tally.clips, tuple(emitter.tally.failures)
    dataset = Dataset(name=name, pipeline=emitter.pipeline, clips=clips, faults=faults, complete=True)
    announce_dataset(bus, emitter.store, dataset, read_datasets(bus, emitter.store).get(dataset.key))
    return dataset


def _read_outcome(bus: LocalBus, emitter: ClipEmitter, contents: Dataset) -> RunOutcome:
    """The outcome by the rule that a stack follows too. Features are those that this run computed or reused."""
    known = PipelineState(bus, emitter.store).read_snapshot()
    features = index_features(record for record in known.features.values() if record.trace == emitter.trace)
    now = measure_progress(contents, features, known.failure_sentences)
    records = list(now.features)
    notes = [*emitter.tally.notes, *describe_record_notes(records)]
    failed = known.failure_sentences
    dead = {identity: failed[key] for identity, key in contents.clip_keys.items() if key in failed}
    return RunOutcome(records, [*now.left_out, *now.lost_sentences()], notes, dead)
