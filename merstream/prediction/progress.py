"""The progress of a prediction in the terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.markup import escape
from rich.progress import TaskID

from merstream.cli.console import progress_bars
from merstream.embedded.features import add_stage_bars
from merstream.embedded.pipeline import Tally, TallyCallback
from merstream.prediction.predictor import SecondsCallback


@contextmanager
def prediction_bars(name: str) -> Iterator[tuple[SecondsCallback, TallyCallback]]:
    """A bar that counts the seconds of a video, then one per stage that counts events. Yields what moves them.

    A bar appears when there is work: a prediction that was finished before shows none.
    """
    with progress_bars() as progress:
        watched: list[TaskID] = []
        stages: list[TallyCallback] = []

        def show_seconds(done: float, total: float) -> None:
            if not watched:
                watched.append(progress.add_task("faces", total=None, remark=f"s of {escape(name)}"))
            progress.update(watched[0], completed=int(done), total=int(total))

        def show_tally(tally: Tally) -> None:
            for task in watched:
                progress.update(task, completed=progress.tasks[task].total)
            stages.extend([] if stages else [add_stage_bars(progress)])
            stages[0](tally)

        yield show_seconds, show_tally
