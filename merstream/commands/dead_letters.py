"""`mer dead-letters`: messages that a stage could not process, and what to do with them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from merstream.cli.console import stdout_console
from merstream.cli.options import RunOrStack
from merstream.stack.connection import connect_bus_and_store
from shared.bus.dead_letters import DeadLetter, discard_letter
from shared.bus.topics import TOPIC_BY_GROUP
from shared.errors import BadData, Misconfigured
from shared.letter_replay import replay_letters
from shared.letter_selection import format_message_value, gather_letters, letter_id, select_letters

dead_letters_app = typer.Typer(
    help="Messages that a stage could not process: list, show, replay, discard.", no_args_is_help=True
)

GroupName = Annotated[
    str | None, typer.Argument(show_default="all", help=f"One of the groups {', '.join(TOPIC_BY_GROUP)}.")
]


@dead_letters_app.command("list")
def list_dead_letters(group: GroupName = None, out: RunOrStack = None) -> None:
    """List dead letters, oldest first within a group."""
    with connect_bus_and_store(out) as (bus, store):
        letters = gather_letters(bus, store, group)
    stdout_console.print(_letters_table(letters) if letters else "No dead letters.")


@dead_letters_app.command("show")
def show_dead_letter(
    id: Annotated[str, typer.Argument(help="ID from `list`, or the beginning of it.")], out: RunOrStack = None
) -> None:
    """Show the headers, the reason and the message: as JSON if it is JSON, otherwise its first bytes."""
    with connect_bus_and_store(out) as (bus, store):
        (letter,) = select_letters(gather_letters(bus, store), [id])
    stdout_console.print(
        f"[bold]{letter_id(letter)}[/] {letter.group}  {escape(letter.key)}", highlight=False, soft_wrap=True
    )
    for name, text in sorted(letter.headers.items()):
        stdout_console.print(f"  {escape(name)}: {escape(text)}", highlight=False, soft_wrap=True)
    stdout_console.print(format_message_value(letter.value), markup=False, highlight=False, soft_wrap=True)


@dead_letters_app.command("replay")
def replay_dead_letters(
    which: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...|GROUP]", help="IDs. With --all: a group.")
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Every dead letter of GROUP, or of all groups.")] = False,
    out: RunOrStack = None,
) -> None:
    """Put messages back on their topics and remove their dead letters.

    A message that fails again becomes a dead letter again. A message about a clip or a video that was replaced since is
    refused.
    """
    which = which or []
    if (all and len(which) > 1) or not (all or which):
        raise Misconfigured("`mer dead-letters replay` needs IDs, or --all and at most one group.")
    with connect_bus_and_store(out) as (bus, store):
        letters = gather_letters(bus, store, *which) if all else select_letters(gather_letters(bus, store), which)
        refusals = {}
        for letter, refusal in replay_letters(bus, store, letters):
            if refusal:
                refusals[letter_id(letter)] = refusal
            else:
                _print_letter_outcome(letter, f"is back on {letter.origin.rpartition('/')[0]}")
    if not letters:
        stdout_console.print("No dead letters.")
    elif out:
        stdout_console.print("`mer run` with the same dataset and --out processes them.")
    if refusals:
        sentences = "\n".join(f"{id} is not replayed: {reason}" for id, reason in refusals.items())
        raise BadData(f"{sentences}\nDelete it: `mer dead-letters discard {' '.join(refusals)}`.")


@dead_letters_app.command("discard")
def discard_dead_letters(
    which: Annotated[list[str], typer.Argument(metavar="ID...", help="IDs from `list`.")], out: RunOrStack = None
) -> None:
    """Delete dead letters whose message is no longer needed, for example because its clip was uploaded again.

    A dataset waits for a clip without features and without a dead letter, so remove the clip from the dataset too.
    """
    with connect_bus_and_store(out) as (bus, store):
        for letter in select_letters(gather_letters(bus, store), which):
            discard_letter(bus, letter)
            _print_letter_outcome(letter, "is deleted")


def _print_letter_outcome(letter: DeadLetter, outcome: str) -> None:
    stdout_console.print(
        f"{letter_id(letter)} {letter.group}: {letter.key} {outcome}", markup=False, highlight=False, soft_wrap=True
    )


def format_age(since: str | None, now: datetime) -> str:
    """The time since an ISO time, in its largest unit."""
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
