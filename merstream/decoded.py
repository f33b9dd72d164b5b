"""What a look-on can read of a topic's state."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TypeVar

from shared.bus import Message
from shared.errors import BadData
from shared.records import Envelope

E = TypeVar("E", bound=Envelope)


def decode_messages(record_type: type[E], messages: Mapping[str, Message]) -> list[E]:
    """The messages that are of this kind and version, oldest first; all others are passed over."""
    found: list[E] = []
    for message in messages.values():
        with suppress(BadData):
            found.append(record_type.decode(message.value))
    return found
