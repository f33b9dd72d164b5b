"""State that the trainer follows: datasets, features, results as records, and the dead letters of the image stages."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.bus import Bus, Follower, Message
from shared.bus.dead_letters import letter
from shared.bus.topics import dead_letters
from shared.errors import BadData
from shared.records import Envelope, Record
from shared.store import Store

log = logging.getLogger(__name__)

SOURCE = "source"  # what discovery calls a clip's packed files
IMAGE_STAGES = ("ingest", "interpolator", "magnifier", "flow", "roi-au")
E = TypeVar("E", bound=Envelope)
T = TypeVar("T")


class Kept(Generic[T]):
    """What a topic's newest messages mean, each worked out once; None means nothing to us."""

    def __init__(self, follower: Follower, meaning: Callable[[Message], T | None]) -> None:
        self.follower, self._meaning = follower, meaning
        self._known: dict[str, tuple[Message, T | None]] = {}

    def read(self) -> dict[str, T]:
        """By message key, the newest last."""
        messages, known = self.follower.read(), self._known
        self._known = {
            key: known[key] if key in known and known[key][0] == message else (message, self._meaning(message))
            for key, message in messages.items()
        }
        return {key: meant for key, (_, meant) in self._known.items() if meant is not None}


def records(bus: Bus, topic: str, model: Callable[[str], type[E]]) -> Kept[E]:
    """The newest record of every key, which says what it is; what is none is logged and left out."""

    def meaning(message: Message) -> E | None:
        try:
            return model(message.key).decode(message.value)
        except BadData as reason:
            log.warning("%s %s: %s", topic, message.key, reason)
            return None

    return Kept(bus.follow(topic), meaning)


@dataclass(frozen=True)
class Buried:
    """A clip that a stage could not process, and why."""

    key: str  # of its record: sample and pipeline
    source: str  # key of its source artifact
    sentence: str


def buried(bus: Bus, store: Store, stage: str) -> Kept[Buried]:
    """A stage's outstanding dead letters that concern a clip."""

    def meaning(message: Message) -> Buried | None:
        try:
            found = letter(store, stage, message)
            record = Record.decode(found.value)
        except BadData:
            return None
        reason = found.reason.removeprefix(f"{record.key}: ")
        return Buried(record.key, source_of(record), f"{record.sample.identity}: {stage}: {reason}")

    return Kept(bus.follow(dead_letters(stage).name), meaning)


def source_of(record: Record) -> str:
    """Key of the source artifact that a record goes back to; empty where it names none."""
    if record.stage == SOURCE:
        return record.artifact.key
    return record.inputs[SOURCE].key if SOURCE in record.inputs else ""


def by_clip(letters: Mapping[str, Buried]) -> dict[tuple[str, str], str]:
    """The newest sentence of each (record key, source artifact)."""
    return {(one.key, one.source): one.sentence for one in letters.values()}
