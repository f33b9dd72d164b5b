"""A dataset through every image stage: discover, start the crew, watch, tell what came of each clip."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from merstream.embedded.run_folder import Workspace
from merstream.embedded.worker_processes import Crew
from merstream.stages import STAGES
from services.ingest.catalogue.entry import Found, Problem, Reading
from services.ingest.discover import DEFAULT, discover
from services.ingest.source_records import emit
from services.trainer.runs.state import State
from shared.bus.local import LocalBus
from shared.bus.topics import topic
from shared.dataset_progress import standing
from shared.errors import BadData
from shared.records import Dataset, Pipeline, Record
from shared.settings import Keep
from shared.store import Store

WATCH_SECONDS = 0.25


@dataclass
class Tally:
    """How far a run is. `done` counts records by stage, since its start; failures and notes are sentences; `clips`:
    recipe of the source artifact by the sample's identity."""

    clips: dict[str, str] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def found(self) -> int:
        return len(self.clips)


Watch = Callable[[Tally], None]


@dataclass(frozen=True)
class Outcome:
    """What a run made: one features record per clip that came through, one sentence per clip that did not; and what
    was repaired or doubtful in the annotation."""

    features: list[Record]
    failures: list[str]
    notes: list[str]


def run(
    dataset: Path,
    place: Workspace,
    pipeline: Pipeline,
    *,
    jobs: int,
    how: Reading = DEFAULT,
    keep: Keep = "all",
    watch: Watch = lambda tally: None,
) -> Outcome:
    """Take every clip of the dataset folder to features. What an earlier run did under `place` is reused.

    Raises BadData if the folder is no dataset or nothing in it can be used, Misconfigured or MissingWeights if the
    workers can't work.
    """
    trace = uuid.uuid4().hex
    bus, tally = place.bus(), Tally()
    before = {stage.name: _committed(bus, stage.name) for stage in STAGES}
    clips = discover(dataset, how=how)
    crew = Crew(place.folder, jobs, keep)
    try:
        for _ in _emitted(clips, pipeline, trace, place, bus, tally):
            crew.check()
            _count(bus, before, tally, watch)
        consists_of = _told(dataset, pipeline, tally, bus)
        while _count(bus, before, tally, watch):
            crew.check()
            time.sleep(WATCH_SECONDS)
        outcome = _outcome(bus, place.store(), trace, consists_of, tally.notes)
    finally:
        crew.close()
        bus.close()
    if not outcome.features:
        raise BadData("No clip came through:\n  " + "\n  ".join(outcome.failures or ["the sheet has no rows."]))
    return outcome


def _emitted(
    clips: Iterator[Found | Problem], pipeline: Pipeline, trace: str, place: Workspace, bus: LocalBus, tally: Tally
) -> Iterator[None]:
    store = place.store()
    for clip in clips:
        if isinstance(clip, Problem):
            tally.failures.append(clip.sentence)
        else:
            _emit(clip, pipeline, trace, store, bus, tally)
        yield


def _emit(clip: Found, pipeline: Pipeline, trace: str, store: Store, bus: LocalBus, tally: Tally) -> None:
    """A clip that can't be read is left out and stops no other."""
    try:
        record = emit(clip, pipeline, trace, store, bus)
    except BadData as fault:
        tally.failures.append(str(fault))
        return
    tally.clips[record.sample.identity] = record.recipe
    tally.notes += [*clip.notes, *clip.label_notes, *(str(change) for change in clip.changes if change.applied)]


def _count(bus: LocalBus, before: dict[str, int], tally: Tally, watch: Watch) -> bool:
    """Bring the tally up to date; True while anything waits.

    Upstream first: a stage publishes before it commits, so what has left one stage is seen waiting at the next.
    """
    depths = {stage.name: bus.depth(topic(stage.consumes).name, stage.name) for stage in STAGES}
    tally.done = {name: depth.committed - before[name] for name, depth in depths.items()}
    watch(tally)
    return any(depth.lag for depth in depths.values())


def _committed(bus: LocalBus, stage: str) -> int:
    consumes = next(each.consumes for each in STAGES if each.name == stage)
    return bus.depth(topic(consumes).name, stage).committed


def _told(folder: Path, pipeline: Pipeline, tally: Tally, bus: LocalBus) -> Dataset:
    """What the dataset consists of now, on the bus: so `mer train` knows which clips are no more part of it."""
    dataset = Dataset(
        name=folder.resolve().name, pipeline=pipeline, clips=tally.clips, faults=tally.failures, complete=True
    )
    bus.publish(topic("datasets").name, dataset.key, dataset.encode())
    return dataset


def _outcome(bus: LocalBus, store: Store, trace: str, dataset: Dataset, notes: list[str]) -> Outcome:
    """By the rule that a stack goes by; features are those that this run made or found."""
    known = State(bus, store).read()
    features = {key: record for key, record in known.features.items() if record.trace == trace}
    now = standing(dataset, features, known.letters)
    return Outcome(list(now.features), list(now.left_out), notes)
