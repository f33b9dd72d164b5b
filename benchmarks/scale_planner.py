"""The planner's state at 750,000 clips: memory, and the CPU seconds of its polls.

    PYTHONPATH=. python benchmarks/scale_planner.py   # minutes, 2 GB; writes benchmarks/results/scale-planner.json

100 datasets are announced on an embedded bus. Their feature records, as roi-au publishes them, are drawn while they are
read, so memory and time are the planner's, without those of a Kafka client. A poll is one of the run starter. The first
one reads all but one clip of each dataset, the idle one finds nothing new, and the last one finds the missing clips.
`datasets` is what a `GET /datasets` costs when nothing is new.
"""

import tempfile
import threading
import tracemalloc
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import describe_machine, result_file, time_call, write_result
from benchmarks.drawn_features import DrawnTopic, draw_dataset, draw_record
from services.console.api.responses import list_dataset_answers
from services.trainer.service.metrics import TrainingMetrics
from services.trainer.service.run_starter import RunStarter
from shared.bus import Follower
from shared.bus.local import LocalBus
from shared.bus.topics import FEATURES
from shared.dataset_notices import announce_dataset
from shared.pipeline_state import PipelineState
from shared.records import Record
from shared.store import LocalStore
from shared.telemetry import Metrics

DATASETS, CLIPS = 100, 7_500  # clips of each dataset


class BenchmarkBus(LocalBus):
    """An embedded bus whose features are drawn."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.features = DrawnTopic()

    def follow(self, topic: str) -> Any:
        drawn: Follower = self.features
        return drawn if topic == FEATURES.name else super().follow(topic)


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
        announce_dataset(bus, store, draw_dataset(number, CLIPS))
    state, metrics, drawn = PipelineState(bus, store), Metrics(), bus.features
    starter = RunStarter(state, metrics, TrainingMetrics(metrics.registry), "cpu", 0, threading.Event())
    before = memory_bytes("VmRSS")

    def poll_clips(clips: Iterable[tuple[int, int]]) -> float:
        drawn.waiting, drawn.drawing_seconds = (draw_record(*numbers) for numbers in clips), 0.0
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
