"""The planner's state: memory and CPU seconds per feature record, extrapolated to 750,000 clips.

    PYTHONPATH=. python benchmarks/scale_planner.py   # seconds; writes benchmarks/results/scale-planner.json

30,000 records of four datasets as roi-au publishes them, read by the view of `mer.features` without a broker. `again`
is what each poll and each `GET /datasets` costs when nothing has changed: one read, and the progress of every dataset.
"""

import resource
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.common import describe_machine, result_file, write_result
from merstream.stages import STAGES
from shared.bus import Message
from shared.dataset_progress import measure_progress
from shared.records import SOURCE_STAGE, ActionUnit, Artifact, Dataset, Record, Sample, artifact_key
from shared.topic_views import TopicView, decode_records

CLIPS, CLIPS_PER_DATASET, EXTRAPOLATED = 30_000, 7_500, 750_000
UNITS = (ActionUnit(number=4), ActionUnit(number=7))


class FixedTopic:
    """A follower of a topic that does not change."""

    def __init__(self, messages: dict[str, Message]) -> None:
        self.messages = messages

    def read_newest(self) -> dict[str, Message]:
        return self.messages

    def close(self) -> None: ...


def draw_records() -> Iterator[Record]:
    for number in range(CLIPS):
        sample = Sample(
            dataset=f"dataset{number // CLIPS_PER_DATASET:03d}",
            subject=f"s{number % 656:04d}",
            clip=f"clip{number:05d}",
            emotion="others",
            aus=UNITS,
            onset=1,
            apex=20,
            offset=60,
            fps=200,
        )
        recipe = f"{number:032x}"
        artifacts = {
            stage: Artifact(key=artifact_key(stage, sample, recipe), sha256=2 * recipe, size=100_000)
            for stage in (SOURCE_STAGE, *(each.name for each in STAGES))
        }
        own = artifacts.pop("roi-au")
        yield Record(sample=sample, stage="roi-au", artifact=own, inputs=artifacts, recipe=recipe, trace=recipe)


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    messages: dict[str, Message] = {}
    versions: dict[str, dict[str, str]] = {}
    for record in draw_records():
        messages[record.key] = Message("mer.features", 0, len(messages), record.key, record.encode())
        versions.setdefault(record.sample.dataset, {})[record.sample.identity] = record.version
    datasets = [Dataset(name=name, clips=clips, complete=True) for name, clips in versions.items()]
    message_bytes = sum(len(message.value) for message in messages.values()) / CLIPS
    before, started = peak_bytes(), time.process_time()
    view = TopicView(FixedTopic(messages), decode_records("mer.features", lambda key: Record))
    view.read_newest()
    first = time.process_time() - started
    record_bytes = (peak_bytes() - before) / CLIPS
    started = time.process_time()
    features = view.read_newest()
    complete = [measure_progress(dataset, features, {}).is_ready for dataset in datasets]
    again = time.process_time() - started
    assert all(complete)
    scale = EXTRAPOLATED / CLIPS
    result: dict[str, Any] = {
        "machine": describe_machine(),
        "clips": CLIPS,
        "message bytes": round(message_bytes),
        "record bytes beside it": round(record_bytes),
        "extrapolated clips": EXTRAPOLATED,
        "GB": round((message_bytes + record_bytes) * EXTRAPOLATED / 1e9, 1),
        "first read cpu s": round(first * scale, 1),
        "again cpu s": round(again * scale, 1),
    }
    print(result)
    write_result(result_file("scale-planner"), result)


if __name__ == "__main__":
    main()
