"""Dead letters: messages that a group could not process, kept with the reason until somebody replays them."""

import hashlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.bus import Bus, Message
from shared.bus.topics import dead_letter_topic
from shared.errors import BadData, MerError
from shared.store import NotStored, Store

LONGEST_REASON_CHARACTERS = 2000  # as long as a traceback, and far below a broker's limit for a header
_LETTER_HEADERS = {"reason", "origin", "key", "host", "buried", "stored", "stage", "version", "attempts"}


class WorkerHalted(MerError):
    """A worker stops taking messages: after so many dead letters the fault is likely its own, not the data's."""


@dataclass(frozen=True)
class DeadLetter:
    """A message that `group` could not process. `origin` is the message's position, and the letter's own key."""

    group: str
    origin: str
    key: str
    value: bytes
    reason: str
    headers: Mapping[str, str]

    @property
    def is_lost(self) -> bool:
        """Whether the message was stored, since it is large, and is gone."""
        return "stored" in self.headers and not self.value


def bury_message(
    bus: Bus, store: Store, group: str, message: Message, reason: str, extra_headers: Mapping[str, str]
) -> None:
    """Publish a message's own bytes as a dead letter, with the reason and `extra_headers`. Returns when it is durable.

    Bytes that are too large for the broker are stored, and the letter names their key.
    """
    headers = {
        **message.headers,
        **extra_headers,
        "reason": reason[:LONGEST_REASON_CHARACTERS],
        "origin": message.position,
        "key": message.key,
        "host": socket.gethostname(),
        "buried": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    topic = dead_letter_topic(group).name
    try:
        bus.publish(topic, message.position, message.value, headers)
    except BadData:
        key = f"dead-letters/{group}/{hashlib.sha256(message.value).hexdigest()}"
        store.put(key, message.value)
        bus.publish(topic, message.position, b"", {**headers, "stored": key})


def read_outstanding_letters(bus: Bus, store: Store, group: str) -> list[DeadLetter]:
    """Every dead letter of a group that was neither replayed nor discarded, oldest first."""
    return [
        read_dead_letter(store, group, message) for message in bus.read_newest(dead_letter_topic(group).name).values()
    ]


def replay_letter(bus: Bus, letter: DeadLetter) -> None:
    """Put the message back on its topic, then remove the letter. If it is killed between, the message comes twice."""
    headers = {name: text for name, text in letter.headers.items() if name not in _LETTER_HEADERS}
    bus.publish(letter.origin.rpartition("/")[0], letter.key, letter.value, headers)
    discard_letter(bus, letter)


def discard_letter(bus: Bus, letter: DeadLetter) -> None:
    """Remove the letter. Its message is not needed any more."""
    bus.publish(dead_letter_topic(letter.group).name, letter.origin, None)


def read_dead_letter(store: Store, group: str, message: Message) -> DeadLetter:
    """The dead letter in a message of a group's dead letters. One whose message is lost can still be discarded."""
    headers = message.headers
    try:
        value = store.get(headers["stored"]) if "stored" in headers else message.value
    except NotStored:
        value = b""
    return DeadLetter(
        group, headers.get("origin", message.key), headers.get("key", ""), value, headers.get("reason", ""), headers
    )


class DeadLetterLimit:
    """The limit of dead letters of a worker: so many datasets in a row without a message that was finished.

    The letters of one dataset are that dataset's fault, however many they are. A message that is finished shows that
    the worker can work.
    """

    def __init__(self, datasets: int) -> None:
        """0 turns the limit off."""
        self.datasets = datasets
        self._buried: set[str] = set()

    def count_message(self, message: Message, buried: bool) -> None:
        """Count a finished message. `buried`: it became a dead letter."""
        if buried:
            self._buried.add(name_owner(message))
        else:
            self._buried.clear()

    def check_limit(self, message: Message, reason: str) -> None:
        """Raise WorkerHalted if the next dead letter exceeds the limit. `reason` is that of the letter."""
        if self.datasets and len(self._buried | {name_owner(message)}) > self.datasets:
            raise WorkerHalted(
                f"This worker stops: it finished no message between dead letters of {len(self._buried)} datasets. The "
                f"next would be: {reason} If the data are the cause, start it again. If the deployment is the cause, "
                "repair it first, then run `mer dead-letters replay`."
            )


def name_owner(message: Message) -> str:
    """The dataset that a message's key names. Messages of other keys (folds, videos) count as one dataset."""
    dataset, slash, _ = message.key.partition("/")
    return dataset if slash else ""
