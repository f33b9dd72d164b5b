"""Progress of a run in the terminal: one bar per stage."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from merstream.cli.console import stderr_console
from merstream.embedded.pipeline import Tally, TallyCallback
from merstream.stages import STAGES


def progress_bars() -> Progress:
    """The same look for every long job."""
    return Progress(
        TextColumn("{task.description:<14}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[remark]}"),
        console=stderr_console,
    )


@contextmanager
def stage_bars() -> Iterator[TallyCallback]:
    """Gives what `run` calls with its tally; a line per stage in a terminal, the last state only elsewhere."""
    with progress_bars() as progress:
        tasks: dict[str, TaskID] = {
            stage.name: progress.add_task(stage.name, total=None, remark="") for stage in STAGES
        }

        def update_bars(tally: Tally) -> None:
            for name, task in tasks.items():
                progress.update(task, total=tally.clip_count, completed=min(tally.done.get(name, 0), tally.clip_count))

        yield update_bars
