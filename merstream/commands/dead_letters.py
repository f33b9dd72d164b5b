"""`mer dead-letters`: what could not be processed and why; and putting it back when the cause is mended."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from merstream.cli.console import stdout_console
from merstream.stack.connection import connect_bus_and_store
from shared.bus import Bus
from shared.bus.dead_letters import DeadLetter, discard_letter, read_outstanding_letters, replay_letter
from shared.bus.topics import TOPIC_BY_GROUP
from shared.errors import BadData, Misconfigured
from shared.store import Store

HEX_PREVIEW_BYTES = 256  # of a value that is no JSON

app = typer.Typer(help="What could not be processed and why; put back when the cause is mended.", no_args_is_help=True)

RunOrStack = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder of an embedded run; default: the stack that MER_* names.")
]
GroupName = Annotated[str | None, typer.Argument(help=f"One of {', '.join(TOPIC_BY_GROUP)}; default all.")]


@app.command("list")
def list_dead_letters(group: GroupName = None, out: RunOrStack = None) -> None:
    """One line per dead letter, oldest first within a group."""
    with connect_bus_and_store(out) as (bus, store):
        letters = gather_letters(bus, store, group)
    stdout_console.print(_letters_table(letters) if letters else "No dead letters.")


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="As `list` gives it, or its beginning.")], out: RunOrStack = None
) -> None:
    """Headers, reason and the message itself: JSON where it is JSON, else its first bytes."""
    with connect_bus_and_store(out) as (bus, store):
        (letter,) = select_letters(gather_letters(bus, store), [id])
    stdout_console.print(
        f"[bold]{letter_id(letter)}[/] {letter.group}  {escape(letter.key)}", highlight=False, soft_wrap=True
    )
    for name, text in sorted(letter.headers.items()):
        stdout_console.print(f"  {escape(name)}: {escape(text)}", highlight=False, soft_wrap=True)
    stdout_console.print(format_message_value(letter.value), markup=False, highlight=False, soft_wrap=True)


@app.command("replay")
def replay_dead_letters(
    which: Annotated[list[str] | None, typer.Argument(metavar="[ID...|GROUP]", help="IDs; with --all a group.")] = None,
    all: Annotated[bool, typer.Option("--all", help="Every letter of GROUP, or of all groups.")] = False,
    out: RunOrStack = None,
) -> None:
    """Put messages back on their topics; their letters go. What fails again is buried again."""
    which = which or []
    if (all and len(which) > 1) or not (all or which):
        raise Misconfigured("`mer dead-letters replay` takes IDs, or --all and at most one group.")
    with connect_bus_and_store(out) as (bus, store):
        letters = gather_letters(bus, store, *which) if all else select_letters(gather_letters(bus, store), which)
        for letter in letters:
            replay_letter(bus, letter)
            _print_letter_outcome(letter, f"is back on {letter.origin.rpartition('/')[0]}")
    if not letters:
        stdout_console.print("No dead letters.")
    elif out:
        stdout_console.print("Workers of the folder take it up: `mer run` with the same dataset and --out.")


@app.command("discard")
def discard_dead_letters(which: Annotated[list[str], typer.Argument(metavar="ID...")], out: RunOrStack = None) -> None:
    """Throw letters away whose message is of no use any more: its clip was dropped anew, or never belonged here.

    A dataset whose clip has neither features nor a letter waits for it, so take the clip out of the dataset too.
    """
    with connect_bus_and_store(out) as (bus, store):
        for letter in select_letters(gather_letters(bus, store), which):
            discard_letter(bus, letter)
            _print_letter_outcome(letter, "is thrown away")


def _print_letter_outcome(letter: DeadLetter, outcome: str) -> None:
    stdout_console.print(
        f"{letter_id(letter)} {letter.group}: {letter.key} {outcome}", markup=False, highlight=False, soft_wrap=True
    )


def gather_letters(bus: Bus, store: Store, group: str | None = None) -> list[DeadLetter]:
    """The outstanding letters of a group, or of all in the pipeline's order. Raises Misconfigured for no group."""
    if group is not None and group not in TOPIC_BY_GROUP:
        raise Misconfigured(f"No group {group!r}; there are {', '.join(TOPIC_BY_GROUP)}.")
    return [
        letter
        for name in ([group] if group else TOPIC_BY_GROUP)
        for letter in read_outstanding_letters(bus, store, name)
    ]


def letter_id(letter: DeadLetter) -> str:
    """Short enough to type; the same each time."""
    return hashlib.sha256(f"{letter.group} {letter.origin}".encode()).hexdigest()[:8]


def select_letters(letters: Sequence[DeadLetter], ids: Iterable[str]) -> list[DeadLetter]:
    """Those that `ids` or their beginnings name, each once. Raises BadData for none or several of one name."""
    found: dict[str, DeadLetter] = {}
    for wanted in ids:
        fitting = {letter_id(letter): letter for letter in letters if letter_id(letter).startswith(wanted)}
        if len(fitting) != 1:
            known = ", ".join(fitting or map(letter_id, letters)) or "none"
            raise BadData(f"Expected the ID of one dead letter, got {wanted!r}; there are {known}.")
        found |= fitting
    return list(found.values())


def format_message_value(value: bytes) -> str:
    """JSON indented; anything else as hex with its length."""
    try:
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    except ValueError:
        lines = [value[start : start + 16].hex(" ") for start in range(0, min(len(value), HEX_PREVIEW_BYTES), 16)]
        more = "" if len(value) <= HEX_PREVIEW_BYTES else f", the first {HEX_PREVIEW_BYTES}"
        return "\n".join([f"{len(value)} bytes, no JSON{more}:", *lines])


def format_age(since: str | None, now: datetime) -> str:
    """Since an ISO time: the largest unit alone."""
    if since is None:
        return "?"
    seconds = max(0, int((now - datetime.fromisoformat(since)).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _letters_table(letters: Sequence[DeadLetter]) -> Table:
    table, now = Table("id", "group", "key", "age", "reason"), datetime.now(UTC)
    for column in table.columns[2], table.columns[4]:
        column.overflow = "fold"
    for column in table.columns[0], table.columns[1], table.columns[3]:
        column.no_wrap = True
    for letter in letters:
        cells = (
            letter_id(letter),
            letter.group,
            letter.key,
            format_age(letter.headers.get("buried"), now),
            letter.reason,
        )
        table.add_row(*map(escape, cells))
    return table
