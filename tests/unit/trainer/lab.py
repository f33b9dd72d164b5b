"""A bus and a store with an uploaded dataset, and trainers on them that a test drives step by step."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.trainer.report.model import Report
from services.trainer.service.processes import all_loops
from shared.bus import Bus, Message
from shared.bus.dead_letters import bury_message, read_outstanding_letters, replay_letter
from shared.bus.local import LocalBus
from shared.dataset_notices import announce_dataset
from shared.records import (
    Artifact,
    Dataset,
    Pipeline,
    Record,
    RunResult,
    Sample,
    artifact_key,
    clip_version,
    json_digest,
)
from shared.settings import Settings
from shared.stage import Arrays
from shared.store import LocalStore, Store
from shared.telemetry import Metrics
from shared.worker.stage_handler import write_artifact

PIPELINE = Pipeline()


class Killed(BaseException):
    """The process ends here, before its next effect."""


class Life:
    """Counts effects and ends the process before the effect of this number (from 0)."""

    def __init__(self, effects: int | None = None) -> None:
        self.left, self.seen = effects, 0

    def tick(self) -> None:
        if self.left == self.seen:
            raise Killed
        self.seen += 1


class Mortal:
    """A store, bus or subscription. A Life counts its puts, publications and commits."""

    def __init__(self, real: Any, life: Life) -> None:
        self._real, self._life = real, life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name == "subscribe":
            return lambda *arguments: Mortal(found(*arguments), self._life)
        if name in ("put", "publish", "commit"):
            return lambda *arguments: (self._life.tick(), found(*arguments))[1]
        return found


class Trainer:
    """The process of one trainer."""

    def __init__(self, home: Path, life: Life | None = None) -> None:
        self.bus: Bus = LocalBus(home / "bus.sqlite")
        self.metrics, self.life = Metrics(), life or Life()
        bus, store = Mortal(self.bus, self.life), Mortal(LocalStore(home / "store"), self.life)
        settings = Settings(work_in_child=False, scratch=home, retry_base_seconds=0.01, retry_cap_seconds=0.01)
        loops = all_loops(settings, bus, store, self.metrics, threading.Event())
        self.conductor, self.planner, self.predictions, self.folds, self.recogniser = loops

    def look(self) -> None:
        """Poll twice: a run starts only if the dataset was the same at the poll before."""
        self.conductor.poll_topics()
        self.conductor.poll_topics()

    def work(self) -> None:
        """Work until nothing is left to do."""
        self.look()
        while self.planner.step() or self.folds.step():
            pass

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    def close(self) -> None:
        """Close what the kernel closes when a process ends."""
        self.bus.close()


class Lab:
    """`clips`: uploaded samples with the arrays that the image stages make of them."""

    def __init__(self, home: Path, clips: Sequence[tuple[Sample, Arrays]]) -> None:
        self.home, self.clips = home, list(clips)
        self.bus = LocalBus(home / "bus.sqlite")
        self.store: Store = LocalStore(home / "store")

    def drop(self, complete: bool = True, faults: tuple[str, ...] = (), drops: Mapping[str, int] = {}, **train: Any):
        """Publish the dataset. `drops`: number of repeated uploads by clip."""
        clips = {each.identity: version(each, drops.get(each.clip, 0)) for each, _ in self.clips}
        dataset = Dataset(name="toy", train=train, clips=clips, faults=faults, complete=complete)
        announce_dataset(self.bus, self.store, dataset)

    def extract(self, clips: Sequence[tuple[Sample, Arrays]] | None = None, drop: int = 0) -> None:
        """Publish features of these clips (default: all), as the image stages do."""
        for sample, arrays in self.clips if clips is None else clips:
            artifact = write_artifact(self.store, artifact_key("roi-au", sample, recipe(drop)), arrays)
            inputs = {"source": source(sample, drop)}
            self._publish("mer.features", sample, "roi-au", artifact, inputs, drop)

    def relabel(self, emotion: str, *numbers: int) -> None:
        """Correct the emotion of the clips of these numbers, in the sheet only."""
        for number in numbers:
            sample, arrays = self.clips[number]
            self.clips[number] = sample.model_copy(update={"emotion": emotion}), arrays

    def bury(self, clip: int, drop: int = 0, stage: str = "flow", reason: str = "no face") -> None:
        """Publish the dead letter of a stage that could not process the clip of this number."""
        sample = self.clips[clip][0]
        record = self._record(sample, "source", source(sample, drop), {}, drop)
        message = Message("mer.magnified", 0, clip, record.key, record.encode())
        bury_message(self.bus, self.store, stage, message, reason, {})

    def replay(self, stage: str = "flow") -> None:
        for letter in read_outstanding_letters(self.bus, self.store, stage):
            replay_letter(self.bus, letter)

    def results(self) -> dict[str, RunResult]:
        """Results by run, oldest first."""
        messages = self.bus.read_newest("mer.results")
        return {key: RunResult.decode(message.value) for key, message in messages.items() if "/" not in key}

    def result(self) -> RunResult:
        """The result of the only run."""
        (result,) = self.results().values()
        return result

    def report(self, result: RunResult) -> Report:
        """The report of a run."""
        return Report.decode(self.store.get(result.files["report.json"]), result.run)

    def published(self, topic: str) -> int:
        return self.bus.group_progress(topic, "nobody").published

    def content(self) -> dict[str, bytes]:
        """Everything in the store by key. A run.json has no content here, because it names creation times."""
        keys = list(self.store.list_keys())
        return {key: b"" if key.startswith("runs/") else self.store.get(key) for key in keys}

    def _publish(self, topic: str, *fields: Any) -> None:
        record = self._record(*fields)
        self.bus.publish(topic, record.key, record.encode())

    def _record(self, sample: Sample, stage: str, artifact: Artifact, inputs: dict[str, Artifact], drop: int) -> Record:
        return Record(
            sample=sample,
            stage=stage,
            artifact=artifact,
            inputs=inputs,
            recipe=recipe(drop),
            pipeline=PIPELINE,
            trace="t",
        )


def recipe(drop: int) -> str:
    return f"{drop:032x}"


def version(sample: Sample, drop: int = 0) -> str:
    return clip_version(recipe(drop), sample.label_digest)


def source(sample: Sample, drop: int = 0) -> Artifact:
    return Artifact(
        key=artifact_key("source", sample, recipe(drop)), sha256=json_digest([sample.identity, drop]), size=1
    )
