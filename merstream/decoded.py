"""What a look-on can read of a topic's state."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TypeVar

from shared.bus import Message
from shared.errors import BadData
from shared.records import Envelope

E = TypeVar("E", bound=Envelope)


def decoded(kind: type[E], state: Mapping[str, Message]) -> list[E]:
    """The messages that are of this kind and version, oldest first; all others are passed over."""
    found: list[E] = []
    for message in state.values():
        with suppress(BadData):
            found.append(kind.decode(message.value))
    return found
