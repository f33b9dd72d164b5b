"""The terminal: messages on stderr, results on stdout, progress bars, errors and Ctrl-C as one sentence."""

import sqlite3
import sys
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from typer.core import TyperGroup

from shared.errors import MerError, Misconfigured
from shared.memory_faults import describe_memory_fault, is_memory_fault
from shared.storage_faults import CONTINUES, describe_storage_fault

stderr_console = Console(stderr=True)
stdout_console = Console()

# Exit codes, beside 0. docs/reference/cli.md lists them.
FAILED, MISCONFIGURED, INTERRUPTED = 1, 2, 130


class InterruptibleGroup(TyperGroup):
    """Commands that Ctrl-C ends with a sentence and an exit code of its own."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            with suppress(OSError):
                print_message("Stopped. The same command continues where it stopped.")
            raise typer.Exit(INTERRUPTED) from None


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print an error of ours, of the disk or of memory as one sentence, and end the process with its exit code.

    Any other error is a fault of the program and keeps its traceback.
    """
    try:
        yield
    except BrokenPipeError:
        sys.exit(FAILED)  # whoever read the output, for example `head`, has enough of it
    except Exception as error:
        sentence = _describe_error(error)
        if sentence is None:
            raise
        with suppress(OSError):  # a terminal may be closed, a file behind stderr full
            stderr_console.print(f"[bold red]mer:[/] {escape(sentence)}", soft_wrap=True, highlight=False)
        sys.exit(MISCONFIGURED if isinstance(error, Misconfigured) else FAILED)


def _describe_error(error: Exception) -> str | None:
    """The sentence for an error that is no fault of the program, None for any other."""
    if isinstance(error, MerError):
        return str(error)
    if is_memory_fault(error):
        return f"{describe_memory_fault(error, 'This command')} {CONTINUES}"
    if isinstance(error, BrokenExecutor):
        return f"A process was killed by the system, as it does when memory runs out. Use fewer --jobs. {CONTINUES}"
    return describe_storage_fault(error) if isinstance(error, OSError | sqlite3.Error) else None


def print_message(sentence: str, mark: str = "", style: str = "yellow") -> None:
    """Print a sentence to stderr, after a mark in that style if one is given."""
    prefix = f"[{style}]{escape(mark)}[/] " if mark else ""
    stderr_console.print(prefix + escape(sentence), soft_wrap=True, highlight=False)


def confirm_removal(plan: str, yes: bool) -> bool:
    """Whether to do what the plan says: `yes`, or the answer of the person at the terminal.

    Raises Misconfigured if nobody can answer.
    """
    if yes:
        return True
    print_message(plan)
    if not sys.stdin.isatty():
        raise Misconfigured("Nothing was removed: expected an answer from a terminal, got none. --yes answers.")
    return typer.confirm("Remove it? This cannot be undone.", err=True)


def progress_bars() -> Progress:
    """Bars for a long job. Each task has a field `remark`."""
    return Progress(
        TextColumn("{task.description:<14}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[remark]}"),
        console=stderr_console,
    )
