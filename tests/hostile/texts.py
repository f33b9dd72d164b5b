"""JSON that no producer of this version wrote: other types, huge numbers, deep nesting, unknown and missing fields."""

import json
import random
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2**63, -(2**70), 10**400, 1e308, 0.1, float("nan"), float("inf"), [], {}, [[]], {"": {}}),
    *("", "\0", "x" * 70_000, "../../outside/evil", "/etc/passwd", "%2e%2e%2fevil", "\u202e", "\ufeff", "e\u0301", "1"),
    *("NaN", "{{7*7}}", "'; DROP TABLE messages; --", "<script>", "\x1b[2J", "a/b", "..", ".", "a" * 300, "shipped"),
    *(
        "0" * 32,
        "0" * 64,
        "http://127.0.0.1:9/",
        "2020-13-45",
        "2020-01-01T00:00:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "-0001-01-01",
        ["x"] * 1000,
    ),
)


def make_text(sound: Any, draw: random.Random) -> bytes:
    """Bytes that may be JSON like `sound`."""
    kind = draw.randrange(10)
    if kind == 0:
        return draw.choice(
            (
                b"",
                b"\0",
                b"null",
                b"[]",
                b"7",
                b'"x"',
                draw.randbytes(200),
                b"[" * 100_000,
                b'{"a":' * 50_000,
                b"\xff\xfe{\0}\0",
                b"\xef\xbb\xbf{}",
                b'{"schema": "\\ud800"}',
                b"{} trailing",
                b"9" * 5000,
                b"-" + b"9" * 400,
            )
        )
    if kind == 1:
        data = bytearray(json.dumps(sound).encode())
        data[draw.randrange(len(data))] = draw.randrange(256)
        return bytes(data)
    if kind == 2:
        return json.dumps(sound).encode()[: draw.randrange(1, 60)]
    changed = json.loads(json.dumps(sound))
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        changed = _change_value(changed, draw)
    text = json.dumps(changed)
    if kind == 3:
        text = text.replace('"', '"\\ud800', 1) if draw.random() < 0.5 else text[:-1] + "," + text[1:]
    return text.encode()


def _change_value(value: Any, draw: random.Random) -> Any:
    """The value with one place in it changed, removed or added to."""
    if isinstance(value, dict) and value and draw.random() < 0.9:
        key = draw.choice(sorted(value))
        action = draw.randrange(8)
        if action == 0:
            return {other: each for other, each in value.items() if other != key}
        if action == 1:
            return {**value, draw.choice(("extra", "", "__class__", "schema_name", "x" * 999)): draw.choice(ODD_VALUES)}
        return {**value, key: _change_value(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.8:
        place = draw.randrange(len(value))
        return [*value[:place], _change_value(value[place], draw), *value[place + 1 :]]
    return draw.choice((*ODD_VALUES, _nest_lists(draw.choice((50, 900)))))


def _nest_lists(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = [found]
    return found
