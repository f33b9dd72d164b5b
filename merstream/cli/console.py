"""The terminal: messages on stderr, results on stdout, progress bars, errors and Ctrl-C as one sentence."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from typer.core import TyperGroup

from shared.errors import MerError, Misconfigured

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
            print_message("Stopped. The same command continues where it stopped.")
            raise typer.Exit(INTERRUPTED) from None


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print a deliberate error as one sentence and end the process with its exit code."""
    try:
        yield
    except MerError as error:
        stderr_console.print(f"[bold red]mer:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(MISCONFIGURED if isinstance(error, Misconfigured) else FAILED)


def print_message(sentence: str, mark: str = "", style: str = "yellow") -> None:
    """Print a sentence to stderr, after a mark in that style if one is given."""
    prefix = f"[{style}]{escape(mark)}[/] " if mark else ""
    stderr_console.print(prefix + escape(sentence), soft_wrap=True, highlight=False)


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
