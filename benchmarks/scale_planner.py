"""The planner's state at 750,000 clips: memory, and the CPU seconds of its polls.

    PYTHONPATH=. python benchmarks/scale_planner.py   # minutes, 2 GB; writes benchmarks/results/scale-planner.json

100 datasets are announced on an embedded bus. Their feature records, as roi-au publishes them, are drawn while they are
read, so memory and time are the planner's, without those of a Kafka client. A poll is one of the run starter. The first
one reads all but one clip of each dataset, the idle one finds nothing new, and the last one finds the missing clips.
`datasets` is what a `GET /datasets` costs when nothing is new.
"""

import hashlib
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.common import describe_machine, result_file, time_call, write_result
from merstream.stages import STAGES
from services.console.api.responses import list_dataset_answers
from services.trainer.service.metrics import TrainingMetrics
from services.trainer.service.run_starter import RunStarter
from shared.bus import Batch, Follower, Message, Update
from shared.bus.local import LocalBus
from shared.bus.topics import FEATURES
from shared.dataset_notices import announce_dataset
from shared.pipeline_state import PipelineState
from shared.records import SOURCE_STAGE, ActionUnit, Artifact, Dataset, Record, Sample, artifact_key, clip_version
from shared.store import LocalStore
from shared.telemetry import Metrics

DATASETS, CLIPS = 100, 7_500  # clips of each dataset
BATCH = 500  # messages that a poll of Kafka's client returns at most
STAGE_NAMES = (SOURCE_STAGE, *(stage.name for stage in STAGES))
EMOTIONS = ("happiness", "others", "surprise")
UNITS = (ActionUnit(number=4), ActionUnit(number=7))


class DrawnFeatures:
    """A follower of `mer.features`. Each read gives the clips of `reads` in turn, and is empty after these."""

    def __init__(self) -> None:
        self.reads: list[Iterable[tuple[int, int]]] = []  # numbers of dataset and clip
        self.message_bytes = self.messages = 0
        self.drawing_seconds = 0.0

    def read_batches(self) -> Iterator[Batch]:
        if not self.messages:
            yield Batch(from_start=True, updates=[])
        clips = iter(self.reads.pop(0) if self.reads else ())
        while updates := self._draw_updates(islice(clips, BATCH)):
            yield Batch(from_start=False, updates=updates)

    def close(self) -> None: ...

    def _draw_updates(self, clips: Iterable[tuple[int, int]]) -> list[Update]:
        started, updates = time.process_time(), []
        for dataset, clip in clips:
            record = draw_record(dataset, clip)
            message = Message(FEATURES.name, 0, self.messages, record.key, record.encode())
            updates.append(Update(record.key, message, (0, 0, self.messages)))
            self.messages += 1
            self.message_bytes += len(message.value)
        self.drawing_seconds += time.process_time() - started
        return updates


class BenchmarkBus(LocalBus):
    """An embedded bus whose features are drawn."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.features = DrawnFeatures()

    def follow(self, topic: str) -> Any:
        drawn: Follower = self.features
        return drawn if topic == FEATURES.name else super().follow(topic)


def draw_sample(dataset: int, clip: int) -> Sample:
    return Sample(
        dataset=f"dataset{dataset:03d}",
        subject=f"s{clip % 656:04d}",
        clip=f"clip{clip:05d}",
        emotion=EMOTIONS[clip % len(EMOTIONS)],
        aus=UNITS,
        onset=1,
        apex=20,
        offset=60,
        fps=200,
    )


def draw_digest(dataset: int, clip: int, stage: str) -> str:
    """A digest as random as real ones, which hardly compress."""
    return hashlib.sha256(f"{dataset}/{clip}/{stage}".encode()).hexdigest()


def draw_record(dataset: int, clip: int) -> Record:
    sample, artifacts = draw_sample(dataset, clip), {}
    for stage in STAGE_NAMES:
        digest = draw_digest(dataset, clip, stage)
        key = artifact_key(stage, sample, digest[:32])
        artifacts[stage] = Artifact(key=key, sha256=digest[::-1], size=int(digest[:6], 16))
    own = artifacts.pop("roi-au")
    recipe, trace = own.key[-36:-4], draw_digest(dataset, 0, "upload")[:32]
    return Record(sample=sample, stage="roi-au", artifact=own, inputs=artifacts, recipe=recipe, trace=trace)


def draw_dataset(number: int, count: int = CLIPS) -> Dataset:
    """A dataset of `count` clips that waits for more of them, so that no run starts."""
    clips = {}
    for clip in range(count):
        sample = draw_sample(number, clip)
        recipe = draw_digest(number, clip, SOURCE_STAGE)[:32]
        clips[sample.identity] = clip_version(recipe, sample.label_digest)
    return Dataset(name=f"dataset{number:03d}", clips=clips, complete=False)


def memory_bytes(field: str) -> int:
    """Of this process: `VmRSS`, the present memory, or `VmHWM`, its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


def measure_record_bytes(features: Sequence[Record]) -> int:
    """Memory of a record that is decoded, as those of a run are when it starts."""
    tracemalloc.start()
    records = list(features)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return round(size / len(records))


def measure_planner(folder: Path) -> dict[str, Any]:
    """Figures by name."""
    bus, store = BenchmarkBus(folder / "bus.sqlite"), LocalStore(folder / "store")
    for number in range(DATASETS):
        announce_dataset(bus, store, draw_dataset(number))
    state, metrics, drawn = PipelineState(bus, store), Metrics(), bus.features
    starter = RunStarter(state, metrics, TrainingMetrics(metrics.registry), "cpu", 0, threading.Event())
    before = memory_bytes("VmRSS")

    def poll_clips(*reads: Iterable[tuple[int, int]]) -> float:
        drawn.reads, drawn.drawing_seconds = list(reads), 0.0
        return time_call(starter.poll_topics).cpu_seconds - drawn.drawing_seconds

    first = poll_clips((dataset, clip) for clip in range(CLIPS - 1) for dataset in range(DATASETS))
    counted = [len(progress.features) for _, progress in starter._seen.values()]
    assert counted == [CLIPS - 1] * DATASETS
    figures = {
        "message bytes": round(drawn.message_bytes / drawn.messages),
        "GB of the process before": round(before / 1e9, 2),
        "GB after the first poll": round(memory_bytes("VmRSS") / 1e9, 2),
        "first poll cpu s": round(first, 1),
        "idle poll cpu s": round(time_call(starter.poll_topics, runs=5).cpu_seconds, 3),
        "poll of changes in all datasets cpu s": round(poll_clips((each, CLIPS - 1) for each in range(DATASETS)), 2),
        "datasets cpu s": round(time_call(lambda: list(list_dataset_answers(state.read_snapshot())), 5).cpu_seconds, 3),
        "GB at the peak": round(memory_bytes("VmHWM") / 1e9, 2),
        "bytes of a decoded record": measure_record_bytes(next(iter(starter._seen.values()))[1].features),
    }
    assert {len(progress.features) for _, progress in starter._seen.values()} == {CLIPS}
    bus.close()
    return figures


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        figures = measure_planner(Path(folder))
    result = {"machine": describe_machine(), "datasets": DATASETS, "clips": DATASETS * CLIPS, **figures}
    print(result)
    write_result(result_file("scale-planner"), result)


if __name__ == "__main__":
    main()
