"""Feature records of large drawn datasets, and a follower that gives them as a topic does, without image libraries."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from itertools import islice

from shared.bus import Batch, Message, Update
from shared.records import (
    SOURCE_STAGE,
    ActionUnit,
    Artifact,
    Dataset,
    Envelope,
    Record,
    Sample,
    artifact_key,
    clip_version,
)
from shared.stage_settings.registry import PROFILES_BY_STAGE

BATCH = 500  # messages that a poll of Kafka's client returns at most
STAGE_NAMES = (SOURCE_STAGE, *PROFILES_BY_STAGE)
EMOTIONS = ("happiness", "others", "surprise")
UNITS = (ActionUnit(number=4), ActionUnit(number=7))


class DrawnTopic:
    """A follower of a topic. Each read gives records of `waiting` as if they were published just then."""

    def __init__(self, waiting: Iterable[Envelope] = ()) -> None:
        self.waiting = waiting
        self.message_bytes = self.messages = 0
        self.drawing_seconds = 0.0

    def read_batches(self) -> Iterator[Batch]:
        if not self.messages:
            yield Batch(from_start=True, updates=[])
        drawn, self.waiting = iter(self.waiting), ()
        while updates := self._draw_updates(islice(drawn, BATCH)):
            yield Batch(from_start=False, updates=updates)

    def close(self) -> None: ...

    def _draw_updates(self, drawn: Iterable[Envelope]) -> list[Update]:
        started, updates = time.process_time(), []
        for record in drawn:
            key: str = record.key  # type: ignore[attr-defined]
            message = Message("drawn", 0, self.messages, key, record.encode())
            updates.append(Update(key, message, (0, 0, self.messages)))
            self.messages += 1
            self.message_bytes += len(message.value)
        self.drawing_seconds += time.process_time() - started
        return updates


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


def draw_dataset(number: int, count: int) -> Dataset:
    """A dataset of `count` clips that waits for more of them, so that no run starts."""
    clips = {}
    for clip in range(count):
        sample = draw_sample(number, clip)
        recipe = draw_digest(number, clip, SOURCE_STAGE)[:32]
        clips[sample.identity] = clip_version(recipe, sample.label_digest)
    return Dataset(name=f"dataset{number:03d}", clips=clips, complete=False)
