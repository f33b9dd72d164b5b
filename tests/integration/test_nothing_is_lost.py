"""Whatever happens in whatever order: once nothing is in work, each clip has the features of what was uploaded last, or
a dead letter, or is named as lost. The inbox, the workers, the run starter and the commands' functions are the real
ones, on the embedded bus; only what the image stages compute is cheap.
"""

import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.trainer.service.metrics import TrainingMetrics
from services.trainer.service.run_starter import RunStarter
from shared import dataset_notices, records
from shared.bus.dead_letters import discard_letter, read_outstanding_letters, replay_letter
from shared.bus.topics import IMAGE_STAGES, TOPIC_BY_GROUP
from shared.dataset_progress import are_stages_idle
from shared.errors import BadData
from shared.letter_replay import ReplayCheck
from shared.pipeline_state import PipelineState
from shared.records import Dataset
from shared.run_contents import RunContents
from shared.stage import Arrays, Stage, StageSettings
from shared.store import npz
from shared.telemetry import Metrics
from shared.worker import Worker
from shared.worker.stage_handler import StageHandler
from tests.unit.ingest.inbox.lab import Dead, Lab, sheet

POISON = b"poison"  # no stage can process it
CONTENTS = (b"one", b"two", POISON)
EMOTIONS = ("others", "disgust", "happiness")
NAMES = ("first", "second")
POISONED = "flow"  # the stage that finds out
STAGES = st.sampled_from(IMAGE_STAGES)
FATES = st.sampled_from(("frozen", "killed", "alive", "nobody has looked"))


def carry_bytes(name: str) -> Callable[[Mapping[str, Arrays], StageSettings], Arrays]:
    """The compute of a stage that hands the bytes of the source on. One stage cannot take poison."""

    def compute(inputs: Mapping[str, Arrays], settings: StageSettings) -> Arrays:
        (arrays,) = inputs.values()
        if name == POISONED and POISON in bytes(arrays["data"]):
            raise BadData("no face")
        return {"data": arrays["data"]}

    return compute


def build_stage(number: int) -> Stage[StageSettings]:
    name = IMAGE_STAGES[number]
    produces = TOPIC_BY_GROUP[IMAGE_STAGES[number + 1]] if number + 1 < len(IMAGE_STAGES) else "mer.features"
    return Stage(
        name=name,
        version=1,
        consumes=TOPIC_BY_GROUP[name].removeprefix("mer."),
        reads=("source",) if number == 0 else (IMAGE_STAGES[number - 1],),
        produces=produces.removeprefix("mer."),
        profiles={"corrected": StageSettings()},
        compute=carry_bytes(name),
    )


class Held:
    """A bus whose publications wait in `late`, as those of a process that is frozen just before them."""

    def __init__(self, real: Any) -> None:
        self.real, self.late = real, list[tuple[Any, ...]]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def publish(self, *message: Any) -> None:
        self.late.append(message)


class SkewedClock(datetime):
    """The clock of the host that runs."""

    ahead = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) + cls.ahead


class Deployment(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.lab = Lab(self.folder, dead_letters_datasets=0)
        self.lab.passed = 1e6  # nothing was uploaded for a while
        self.uploaded: dict[str, dict[str, tuple[bytes, str]]] = {}  # clips by dataset: content, emotion
        self.discarded: set[str] = set()
        self.late: list[tuple[Any, ...]] = []
        self.stages = [build_stage(number) for number in range(len(IMAGE_STAGES))]
        self.clocks = [patch.object(module, "datetime", SkewedClock) for module in (records, dataset_notices)]
        for clock in self.clocks:
            clock.start()
        self.start_planner()

    def start_planner(self) -> None:
        self.metrics = Metrics()
        self.state = PipelineState(self.lab.bus, self.lab.store)
        figures = TrainingMetrics(self.metrics.registry)
        self.starter = RunStarter(self.state, self.metrics, figures, "cpu", 0, threading.Event())

    def step_worker(self, group: str, bus: Any) -> bool:
        """A process of the group takes one record and ends."""
        stage = next(stage for stage in self.stages if stage.name == group)
        worker = Worker(StageHandler(stage, self.lab.store), bus, self.lab.store, self.lab.settings)
        try:
            return worker.step()
        finally:
            worker.close()

    @initialize()
    def upload_both(self) -> None:
        for name in NAMES:
            for clip in ("a", "b")[: 2 - NAMES.index(name)]:
                self.put_clip(name, clip, b"one", "others")
        self.lab.scan()

    def put_clip(self, name: str, clip: str, content: bytes, emotion: str) -> None:
        self.uploaded.setdefault(name, {})[clip] = content, emotion
        self.lab.drop(name, {f"frames/{clip}/img{number}.jpg": content for number in (1, 2, 3)})
        self.put_sheet(name)

    def put_sheet(self, name: str) -> None:
        clips = {clip: emotion for clip, (_, emotion) in self.uploaded[name].items()}
        self.lab.drop(name, {"clips.csv": sheet(clips), "merstream.json": b'{"train": {"model": "majority"}}'})

    @rule(steps=st.integers(1, 2), fate=FATES, group=STAGES)
    def drop_anew(self, steps: int, fate: str, group: str) -> None:
        """Other bytes of a clip, and what becomes of the worker of a stage that they reach."""
        content, emotion = self.uploaded["first"]["a"]
        self.put_clip("first", "a", CONTENTS[(CONTENTS.index(content) + steps) % len(CONTENTS)], emotion)
        if fate != "nobody has looked":
            self.lab.scan()
        if fate == "frozen":
            self.freeze(group)
        elif fate == "killed":
            self.kill_worker(group)

    @rule(steps=st.integers(1, 2), group=STAGES)
    def relabel(self, steps: int, group: str) -> None:
        content, emotion = self.uploaded["first"]["a"]
        self.uploaded["first"]["a"] = content, EMOTIONS[(EMOTIONS.index(emotion) + steps) % len(EMOTIONS)]
        self.put_sheet("first")
        self.lab.scan()
        self.freeze(group)

    @rule()
    def remove_or_bring_back_clip(self) -> None:
        if self.uploaded["first"].pop("b", None):
            self.put_sheet("first")
        else:
            self.put_clip("first", "b", b"one", "others")
        self.lab.scan()

    @rule()
    def remove_or_bring_back_dataset(self) -> None:
        if self.uploaded.pop("second", None):
            for key in list(self.lab.inbox.list_keys("second/")):
                self.lab.inbox.delete(key)
        else:
            self.put_clip("second", "a", b"one", "others")
        self.lab.scan()

    @rule(point=st.integers(0, 30))
    def kill_inbox(self, point: int) -> None:
        self.lab.calls.points, self.lab.calls.die_at = 0, point
        with suppress(Dead):
            self.lab.scan()
        self.lab.calls.die_at = -1
        self.lab.restart()

    @rule(group=STAGES)
    def work(self, group: str) -> None:
        """Everything up to this group is done."""
        for name in IMAGE_STAGES[: IMAGE_STAGES.index(group) + 1]:
            while self.step_worker(name, self.lab.bus):
                pass

    def freeze(self, group: str) -> None:
        """A worker stops just before it publishes. Its partition goes to others, and it does not know that."""
        if before := IMAGE_STAGES[: IMAGE_STAGES.index(group)]:
            self.work(before[-1])
        held = Held(self.lab.bus)
        with patch("shared.bus.local.LocalSubscription.commit"):  # its commit does not count any more
            self.step_worker(group, held)
        self.late += held.late

    @precondition(lambda self: self.late)
    @rule()
    def thaw(self) -> None:
        for message in self.late:
            self.lab.bus.publish(*message)
        self.late = []

    def kill_worker(self, group: str) -> None:
        """After it has published, and before it commits."""
        if before := IMAGE_STAGES[: IMAGE_STAGES.index(group)]:
            self.work(before[-1])
        with patch("shared.bus.local.LocalSubscription.commit"):
            self.step_worker(group, self.lab.bus)

    @rule()
    def replay(self) -> None:
        check = ReplayCheck(self.lab.bus, self.lab.store)
        for letter in read_outstanding_letters(self.lab.bus, self.lab.store, POISONED):
            if not check.explain_refusal(letter):
                replay_letter(self.lab.bus, letter)

    @rule()
    def discard(self) -> None:
        for letter in read_outstanding_letters(self.lab.bus, self.lab.store, POISONED)[:1]:
            self.discarded.add(letter.key)
            discard_letter(self.lab.bus, letter)

    @rule(hours=st.integers(-30, 30))
    def restart_elsewhere(self, hours: int) -> None:
        """On a host whose clock is hours ahead or behind."""
        SkewedClock.ahead = timedelta(hours=hours)
        self.state.close()
        self.lab.restart()
        self.start_planner()
        self.starter.poll_topics()

    @rule()
    def settle(self) -> None:
        """Until nothing is left to do. Then what is there is what was uploaded."""
        self.lab.scan()
        while any(self.step_worker(group, self.lab.bus) for group in IMAGE_STAGES):
            pass
        announced = {dataset.name: dataset for dataset in self.state.read_snapshot().datasets.values()}
        assert set(announced) == set(self.uploaded)
        for name, clips in self.uploaded.items():
            self.check_dataset(announced[name], clips)

    def check_dataset(self, dataset: Dataset, clips: Mapping[str, tuple[bytes, str]]) -> None:
        snapshot = self.state.read_snapshot()
        lost = 0
        assert set(dataset.clips) == {f"{dataset.name}/s/{clip}" for clip in clips}
        for clip, (content, emotion) in clips.items():
            key = dataset.clip_keys[f"{dataset.name}/s/{clip}"]
            if content == POISON:
                assert (key in snapshot.failure_sentences) or key in self.discarded
                lost += key not in snapshot.failure_sentences
                continue
            record = snapshot.features[key]
            data = npz.unpack_arrays(self.lab.store.get(record.artifact.key))["data"]
            assert (bytes(data), record.sample.emotion) == (3 * content, emotion)
        self.starter.poll_topics()
        self.starter.poll_topics()
        labels = {"dataset": dataset.name, "pipeline": dataset.pipeline.digest, "state": "lost"}
        assert self.metrics.registry.get_sample_value("mer_train_clips", labels) == lost

    @invariant()
    def each_run_is_of_one_upload(self) -> None:
        """A run that was started holds one record per clip, and no two states of it."""
        for key in self.lab.store.list_keys("runs/"):
            features = RunContents.decode(self.lab.store.get(key)).features
            assert len({record.sample.identity for record in features}) == len(features)

    @invariant()
    def what_is_idle_is_decided(self) -> None:
        if not are_stages_idle(self.lab.bus):
            return
        snapshot = self.state.read_snapshot()
        for dataset in snapshot.datasets.values():
            progress = snapshot.progress_of(dataset)
            lost = {sentence.partition(": ")[0] for sentence in progress.lost_sentences()}
            for identity, key in dataset.clip_keys.items():
                decided = key in snapshot.features or key in snapshot.failure_sentences
                assert decided or (identity in lost and key in self.discarded), identity

    def teardown(self) -> None:
        self.settle()
        self.thaw()
        self.settle()
        SkewedClock.ahead = timedelta()
        for clock in self.clocks:
            clock.stop()
        self.state.close()
        self.lab.close()
        shutil.rmtree(self.folder)


TestDeployment = Deployment.TestCase
# Without shrinking: it would take minutes, and a failing example has few steps.
TestDeployment.settings = settings(
    max_examples=12, stateful_step_count=15, derandomize=True, deadline=None, phases=[Phase.generate]
)
