"""Dead letters: messages that a group could not process, kept with the reason until somebody replays them."""

import hashlib
import logging
import socket
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.bus import Bus, Message
from shared.bus.topics import dead_letter_topic
from shared.errors import BadData, MerError
from shared.store import Store

log = logging.getLogger(__name__)

LONGEST_REASON_CHARACTERS = 2000  # characters; a traceback's worth, far below what a broker takes as header


class WorkerHalted(MerError):
    """A worker takes nothing more: it buries so much that the fault is likely its own, not the data's."""


@dataclass(frozen=True)
class DeadLetter:
    """`origin` is `topic/partition@offset` of the message, and the letter's own key: a message has one letter."""

    group: str
    origin: str
    key: str
    value: bytes
    reason: str
    headers: Mapping[str, str]


def bury_message(
    bus: Bus, store: Store, group: str, message: Message, reason: str, extra_headers: Mapping[str, str]
) -> None:
    """Publish the message's own bytes with the reason and `about`; returns when that is durable.

    What the broker finds too large goes to the store, and the letter says where.
    """
    origin = f"{message.topic}/{message.partition}@{message.offset}"
    headers = {
        **message.headers,
        **extra_headers,
        "reason": reason[:LONGEST_REASON_CHARACTERS],
        "origin": origin,
        "key": message.key,
        "host": socket.gethostname(),
        "buried": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    topic = dead_letter_topic(group).name
    try:
        bus.publish(topic, origin, message.value, headers)
    except BadData:
        place = f"dead-letters/{group}/{hashlib.sha256(message.value).hexdigest()}"
        store.put(place, message.value)
        bus.publish(topic, origin, b"", {**headers, "stored": place})


def read_outstanding_letters(bus: Bus, store: Store, group: str) -> list[DeadLetter]:
    """Every letter of a group that was not replayed, oldest first."""
    return [
        read_dead_letter(store, group, message) for message in bus.read_newest(dead_letter_topic(group).name).values()
    ]


def replay_letter(bus: Bus, letter: DeadLetter) -> None:
    """Put the message back on its topic, then take the letter away; killed in between, it comes twice: no harm."""
    headers = {name: text for name, text in letter.headers.items() if name not in _LETTER_HEADERS}
    bus.publish(letter.origin.rpartition("/")[0], letter.key, letter.value, headers)
    discard_letter(bus, letter)


def discard_letter(bus: Bus, letter: DeadLetter) -> None:
    """Take the letter away; its message is done with."""
    bus.publish(dead_letter_topic(letter.group).name, letter.origin, None)


_LETTER_HEADERS = {"reason", "origin", "key", "host", "buried", "stored", "stage", "version", "attempts"}


def read_dead_letter(store: Store, group: str, message: Message) -> DeadLetter:
    """A message of a group's dead letters, read. Raises NotStored if its value was put aside and is gone."""
    headers = message.headers
    value = store.get(headers["stored"]) if "stored" in headers else message.value
    return DeadLetter(
        group, headers.get("origin", message.key), headers.get("key", ""), value, headers.get("reason", ""), headers
    )


class DeadLetterLimit:
    """How much a worker may bury before it halts: so many in a row, or such a part of its last `window` messages."""

    def __init__(self, consecutive: int, ratio: float, window: int = 100) -> None:
        """0 turns a limit off."""
        self.consecutive, self.ratio = consecutive, ratio
        self._buried: deque[bool] = deque(maxlen=window)
        self._in_a_row = 0

    def count_message(self, buried: bool) -> None:
        self._buried.append(buried)
        self._in_a_row = self._in_a_row + 1 if buried else 0

    def check_limit(self, reason: str) -> None:
        """Called before one more is buried. Raises Halted."""
        full = len(self._buried) == self._buried.maxlen
        if self.consecutive and self._in_a_row >= self.consecutive:
            what = f"the last {self._in_a_row} messages"
        elif self.ratio and full and sum(self._buried) > self.ratio * len(self._buried):
            what = f"{sum(self._buried)} of the last {len(self._buried)} messages"
        else:
            return
        raise WorkerHalted(
            f"This worker buried {what} and takes no more; the next would go for: {reason} If the data are to blame, "
            "start it again; if the deployment is, mend it first, then `mer dead-letters replay`."
        )
