"""State that topics hold: the newest record of every key, and the clips that became dead letters."""

import logging
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.bus import Bus, Follower, Message
from shared.bus.dead_letters import DeadLetter, read_dead_letter
from shared.bus.topics import FEATURES, dead_letter_topic
from shared.errors import BadData
from shared.records import Envelope, Record
from shared.store import Store

log = logging.getLogger(__name__)

E = TypeVar("E", bound=Envelope)
T = TypeVar("T")


class TopicView(Generic[T]):
    """The newest message of every key of a topic, interpreted. Each message is interpreted once.

    `interpret` returns None for a message that the view leaves out.
    """

    def __init__(self, follower: Follower, interpret: Callable[[Message], T | None]) -> None:
        self.follower, self._interpret = follower, interpret
        self._known: dict[str, tuple[Message, T | None]] = {}

    def read_newest(self) -> dict[str, T]:
        """The interpreted messages by key, the newest last. Raises Unavailable if the broker does not answer."""
        messages, known = self.follower.read_newest(), self._known
        self._known = {
            key: known[key] if key in known and known[key][0] == message else (message, self._interpret(message))
            for key, message in messages.items()
        }
        return {key: value for key, (_, value) in self._known.items() if value is not None}

    @property
    def message_count(self) -> int:
        """The number of messages at the last read, those that the view leaves out included."""
        return len(self._known)

    def close(self) -> None:
        """Release the follower. A later read opens it again."""
        self.follower.close()


def record_view(bus: Bus, topic: str, record_type: Callable[[str], type[E]]) -> TopicView[E]:
    """A view of a topic's records. `record_type` maps a message key to the type of the record.

    A message that is no such record is logged and left out.
    """

    return TopicView(bus.follow(topic), decode_records(topic, record_type))


def decode_records(topic: str, record_type: Callable[[str], type[E]]) -> Callable[[Message], E | None]:
    """What a view of a topic's records makes of a message."""

    def decode_record(message: Message) -> E | None:
        try:
            return record_type(message.key).decode(message.value)
        except BadData as reason:
            log.warning("%s %s: %s", topic, message.key, reason)
            return None

    return decode_record


class FeaturesView(TopicView[Record]):
    """The features on `mer.features` by record key. Older messages have a shorter key."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus.follow(FEATURES.name), decode_records(FEATURES.name, lambda key: Record))

    def read_newest(self) -> dict[str, Record]:
        newest = super().read_newest()
        return {key if key.count("@") > 1 else record.key: record for key, record in newest.items()}


def read_records(bus: Bus, topic: str, record_type: Callable[[str], type[E]]) -> list[E]:
    """The newest record of every key of a topic, read once, the newest last. Otherwise as `record_view`."""
    with closing(record_view(bus, topic, record_type)) as view:
        return list(view.read_newest().values())


@dataclass(frozen=True)
class FailedClip:
    """A clip that a stage could not process, and the reason as a sentence."""

    record_key: str
    sentence: str


def letter_view(bus: Bus, store: Store, group: str, interpret: Callable[[DeadLetter], T]) -> TopicView[T]:
    """A view of a group's dead letters. Those for which `interpret` raises BadData are left out."""

    def read_letter(message: Message) -> T | None:
        try:
            return interpret(read_dead_letter(store, group, message))
        except BadData:
            return None

    return TopicView(bus.follow(dead_letter_topic(group).name), read_letter)


def dead_letter_view(bus: Bus, store: Store, group: str) -> TopicView[FailedClip]:
    """A view of a group's dead letters that are records of clips."""

    def read_failed_clip(letter: DeadLetter) -> FailedClip:
        record = Record.decode(letter.value)
        reason = letter.reason.removeprefix(f"{record.clip_name}: ")
        return FailedClip(record.key, f"{record.sample.identity}: {group}: {reason}")

    return letter_view(bus, store, group, read_failed_clip)


def failure_sentences(views: Iterable[TopicView[FailedClip]]) -> dict[str, str]:
    """The newest sentence of each record key in views of dead letters."""
    return {clip.record_key: clip.sentence for view in views for clip in view.read_newest().values()}
