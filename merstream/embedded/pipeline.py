"""A dataset through every image stage: discovery, worker processes, progress, result of each clip."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from merstream.embedded.run_folder import Workspace
from merstream.embedded.worker_processes import WorkerCrew
from merstream.stages import STAGES
from services.ingest.catalogue.entry import ClipProblem, FoundClip, ReadingOptions
from services.ingest.discover import DEFAULT_READING, discover_clips
from services.ingest.source_records import emit_record
from services.trainer.runs.state import PipelineState
from shared.bus.local import LocalBus
from shared.bus.topics import DATASETS, topic_by_short_name
from shared.dataset_progress import measure_progress
from shared.errors import BadData
from shared.records import Dataset, Pipeline, Record
from shared.settings import KeepPolicy
from shared.store import Store

TALLY_INTERVAL_SECONDS = 0.25


@dataclass
class Tally:
    """How far a run is. `done` counts records by stage, since its start; failures and notes are sentences; `clips`:
    recipe of the source artifact by the sample's identity."""

    clips: dict[str, str] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def clip_count(self) -> int:
        return len(self.clips)


TallyCallback = Callable[[Tally], None]


@dataclass(frozen=True)
class RunOutcome:
    """What a run made: one features record per clip that came through, one sentence per clip that did not; and what
    was repaired or doubtful in the annotation."""

    features: list[Record]
    failures: list[str]
    notes: list[str]


def run_stages(
    dataset: Path,
    workspace: Workspace,
    pipeline: Pipeline,
    *,
    jobs: int,
    reading: ReadingOptions = DEFAULT_READING,
    keep: KeepPolicy = "all",
    on_tally: TallyCallback = lambda tally: None,
) -> RunOutcome:
    """Take every clip of the dataset folder to features. What an earlier run did under `place` is reused.

    Raises BadData if the folder is no dataset or nothing in it can be used, Misconfigured or MissingWeights if the
    workers can't work.
    """
    trace = uuid.uuid4().hex
    bus, tally = workspace.open_bus(), Tally()
    before = {stage.name: _committed_count(bus, stage.name) for stage in STAGES}
    clips = discover_clips(dataset, reading=reading)
    crew = WorkerCrew(workspace.folder, jobs, keep)
    try:
        for _ in _emit_clips(clips, pipeline, trace, workspace, bus, tally):
            crew.replace_dead_workers()
            _update_tally(bus, before, tally, on_tally)
        consists_of = _publish_dataset(dataset, pipeline, tally, bus)
        while _update_tally(bus, before, tally, on_tally):
            crew.replace_dead_workers()
            time.sleep(TALLY_INTERVAL_SECONDS)
        outcome = _read_outcome(bus, workspace.open_store(), trace, consists_of, tally.notes)
    finally:
        crew.close()
        bus.close()
    if not outcome.features:
        raise BadData("No clip came through:\n  " + "\n  ".join(outcome.failures or ["the sheet has no rows."]))
    return outcome


def _emit_clips(
    clips: Iterator[FoundClip | ClipProblem],
    pipeline: Pipeline,
    trace: str,
    workspace: Workspace,
    bus: LocalBus,
    tally: Tally,
) -> Iterator[None]:
    store = workspace.open_store()
    for clip in clips:
        if isinstance(clip, ClipProblem):
            tally.failures.append(clip.sentence)
        else:
            _emit_clip(clip, pipeline, trace, store, bus, tally)
        yield


def _emit_clip(clip: FoundClip, pipeline: Pipeline, trace: str, store: Store, bus: LocalBus, tally: Tally) -> None:
    """A clip that can't be read is left out and stops no other."""
    try:
        record = emit_record(clip, pipeline, trace, store, bus)
    except BadData as fault:
        tally.failures.append(str(fault))
        return
    tally.clips[record.sample.identity] = record.recipe
    tally.notes += [*clip.notes, *clip.label_notes, *(str(change) for change in clip.changes if change.applied)]


def _update_tally(bus: LocalBus, before: dict[str, int], tally: Tally, on_tally: TallyCallback) -> bool:
    """Bring the tally up to date; True while anything waits.

    Upstream first: a stage publishes before it commits, so what has left one stage is seen waiting at the next.
    """
    depths = {stage.name: bus.group_progress(topic_by_short_name(stage.consumes).name, stage.name) for stage in STAGES}
    tally.done = {name: depth.committed - before[name] for name, depth in depths.items()}
    on_tally(tally)
    return any(depth.lag for depth in depths.values())


def _committed_count(bus: LocalBus, stage: str) -> int:
    consumes = next(each.consumes for each in STAGES if each.name == stage)
    return bus.group_progress(topic_by_short_name(consumes).name, stage).committed


def _publish_dataset(folder: Path, pipeline: Pipeline, tally: Tally, bus: LocalBus) -> Dataset:
    """What the dataset consists of now, on the bus: so `mer train` knows which clips are no more part of it."""
    dataset = Dataset(
        name=folder.resolve().name, pipeline=pipeline, clips=tally.clips, faults=tally.failures, complete=True
    )
    bus.publish(DATASETS.name, dataset.key, dataset.encode())
    return dataset


def _read_outcome(bus: LocalBus, store: Store, trace: str, dataset: Dataset, notes: list[str]) -> RunOutcome:
    """By the rule that a stack goes by; features are those that this run made or found."""
    known = PipelineState(bus, store).read_snapshot()
    features = {key: record for key, record in known.features.items() if record.trace == trace}
    now = measure_progress(dataset, features, known.failure_sentences)
    return RunOutcome(list(now.features), list(now.left_out), notes)
