"""State that the trainer follows: datasets, features, results as records, and the dead letters of the image stages."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.bus import Bus, Follower, Message
from shared.bus.dead_letters import read_dead_letter
from shared.bus.topics import dead_letter_topic
from shared.errors import BadData
from shared.records import Envelope, Record
from shared.store import Store

log = logging.getLogger(__name__)

SOURCE = "source"  # what discovery calls a clip's packed files
IMAGE_STAGES = ("ingest", "interpolator", "magnifier", "flow", "roi-au")
E = TypeVar("E", bound=Envelope)
T = TypeVar("T")


class TopicView(Generic[T]):
    """What a topic's newest messages mean, each worked out once; None means nothing to us."""

    def __init__(self, follower: Follower, interpret: Callable[[Message], T | None]) -> None:
        self.follower, self._interpret = follower, interpret
        self._known: dict[str, tuple[Message, T | None]] = {}

    def read_newest(self) -> dict[str, T]:
        """By message key, the newest last."""
        messages, known = self.follower.read_newest(), self._known
        self._known = {
            key: known[key] if key in known and known[key][0] == message else (message, self._interpret(message))
            for key, message in messages.items()
        }
        return {key: meant for key, (_, meant) in self._known.items() if meant is not None}


def record_view(bus: Bus, topic: str, model: Callable[[str], type[E]]) -> TopicView[E]:
    """The newest record of every key, which says what it is; what is none is logged and left out."""

    def decode_record(message: Message) -> E | None:
        try:
            return model(message.key).decode(message.value)
        except BadData as reason:
            log.warning("%s %s: %s", topic, message.key, reason)
            return None

    return TopicView(bus.follow(topic), decode_record)


@dataclass(frozen=True)
class FailedClip:
    """A clip that a stage could not process, and why."""

    record_key: str  # of its record: sample and pipeline
    source_key: str  # key of its source artifact
    sentence: str


def dead_letter_view(bus: Bus, store: Store, stage: str) -> TopicView[FailedClip]:
    """A stage's outstanding dead letters that concern a clip."""

    def read_failed_clip(message: Message) -> FailedClip | None:
        try:
            found = read_dead_letter(store, stage, message)
            record = Record.decode(found.value)
        except BadData:
            return None
        reason = found.reason.removeprefix(f"{record.key}: ")
        return FailedClip(record.key, source_artifact_key(record), f"{record.sample.identity}: {stage}: {reason}")

    return TopicView(bus.follow(dead_letter_topic(stage).name), read_failed_clip)


def source_artifact_key(record: Record) -> str:
    """Key of the source artifact that a record goes back to; empty where it names none."""
    if record.stage == SOURCE:
        return record.artifact.key
    return record.inputs[SOURCE].key if SOURCE in record.inputs else ""


def sentences_by_clip(letters: Mapping[str, FailedClip]) -> dict[tuple[str, str], str]:
    """The newest sentence of each (record key, source artifact)."""
    return {(one.record_key, one.source_key): one.sentence for one in letters.values()}
