"""Dead letters as a person reads them: gathered by group, each with a short ID, and their messages as text."""

import hashlib
import json
from collections.abc import Iterable, Sequence

from shared.bus import Bus
from shared.bus.dead_letters import DeadLetter, read_outstanding_letters
from shared.bus.topics import TOPIC_BY_GROUP
from shared.errors import BadData, Misconfigured
from shared.store import Store

HEX_PREVIEW_BYTES = 256  # bytes shown of a value that is no JSON


def gather_letters(bus: Bus, store: Store, group: str | None = None) -> list[DeadLetter]:
    """The outstanding letters of one group, or of all groups in the pipeline's order.

    Raises Misconfigured for an unknown group.
    """
    if group is not None and group not in TOPIC_BY_GROUP:
        raise Misconfigured(f"No group {group!r}. Expected one of {', '.join(TOPIC_BY_GROUP)}.")
    return [
        letter
        for name in ([group] if group else TOPIC_BY_GROUP)
        for letter in read_outstanding_letters(bus, store, name)
    ]


def letter_id(letter: DeadLetter) -> str:
    """A short digest of group and origin, the same each time."""
    return hashlib.sha256(f"{letter.group} {letter.origin}".encode()).hexdigest()[:8]


def select_letters(letters: Sequence[DeadLetter], ids: Iterable[str]) -> list[DeadLetter]:
    """The letters that `ids` or their beginnings name, each once.

    Raises BadData for an ID that fits no letter or several.
    """
    found: dict[str, DeadLetter] = {}
    for wanted in ids:
        fitting = {letter_id(letter): letter for letter in letters if letter_id(letter).startswith(wanted)}
        if len(fitting) != 1:
            known = ", ".join(fitting or map(letter_id, letters)) or "none"
            raise BadData(f"Expected the ID of one dead letter, got {wanted!r}. Known IDs: {known}.")
        found |= fitting
    return list(found.values())


def format_message_value(value: bytes) -> str:
    """JSON with indents. Any other value as hex, with its length."""
    try:
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    except ValueError:
        lines = [value[start : start + 16].hex(" ") for start in range(0, min(len(value), HEX_PREVIEW_BYTES), 16)]
        more = "" if len(value) <= HEX_PREVIEW_BYTES else f", the first {HEX_PREVIEW_BYTES}"
        return "\n".join([f"{len(value)} bytes, no JSON{more}:", *lines])
