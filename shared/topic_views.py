"""State that topics hold: the newest record of every key, and the clips that became dead letters."""

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from operator import is_, itemgetter
from typing import Generic, TypeVar

from shared.bus import Bus, Follower, Message, Update
from shared.bus.dead_letters import DeadLetter, read_dead_letter
from shared.bus.topics import dead_letter_topic
from shared.errors import BadData
from shared.records import Envelope, Record
from shared.store import Store

log = logging.getLogger(__name__)

E = TypeVar("E", bound=Envelope)
T = TypeVar("T")


class TopicView(Generic[T]):
    """The newest message of every key of a topic, interpreted. Each read interprets the newest of what is new.

    `interpret` returns None for a message that the view leaves out. If it raises, the next read repeats it.
    """

    def __init__(self, follower: Follower, interpret: Callable[[Message], T | None]) -> None:
        self.follower, self._interpret = follower, interpret
        self._waiting: dict[str, Update] = {}  # not interpreted yet
        self._known: dict[str, tuple[tuple[int, int, int], T | None]] = {}  # place and value
        self._newest: Mapping[str, T] = {}

    def read_newest(self) -> Mapping[str, T]:
        """The interpreted messages by key, the newest last: the same object as before if nothing has changed.

        Raises Unavailable if the broker does not answer.
        """
        self._collect_updates()
        if self._waiting:
            self._interpret_updates()
            kept = [(place, key, value) for key, (place, value) in self._known.items() if value is not None]
            self._newest = {key: value for _, key, value in sorted(kept, key=itemgetter(0))}
        return self._newest

    @property
    def message_count(self) -> int:
        """The number of messages at the last read, those that the view leaves out included."""
        return len(self._known)

    def close(self) -> None:
        """Release the follower. A later read opens it again."""
        self.follower.close()

    def _collect_updates(self) -> None:
        for batch in self.follower.read_batches():
            if batch.from_start:
                self._waiting = {key: Update(key, None, place) for key, (place, _) in self._known.items()}
            self._waiting.update((update.key, update) for update in batch.updates)

    def _interpret_updates(self) -> None:
        for key, update in list(self._waiting.items()):
            if update.message is None:
                self._known.pop(key, None)
            else:
                self._known[key] = update.place, self._interpret(update.message)
            del self._waiting[key]


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


class FailureSentences:
    """The newest sentence of each record key in views of dead letters."""

    def __init__(self, views: Iterable[TopicView[FailedClip]]) -> None:
        self.views = list(views)
        self._parts: list[Mapping[str, FailedClip]] = []
        self._merged: Mapping[str, str] = {}

    def read_newest(self) -> Mapping[str, str]:
        """The sentences by record key: the same object as before if nothing has changed. Raises Unavailable."""
        parts = [view.read_newest() for view in self.views]
        if len(parts) != len(self._parts) or not all(map(is_, parts, self._parts)):
            self._merged = {clip.record_key: clip.sentence for part in parts for clip in part.values()}
            self._parts = parts
        return self._merged

    def close(self) -> None:
        """Close the views. A later read opens them again."""
        for view in self.views:
            view.close()
