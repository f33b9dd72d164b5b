"""From features to a report: the trainer's settings chosen, progress shown."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.local.jobs import interruptible
from services.local.progress import bars
from services.local.reports import print_report
from services.local.workspace import Workspace
from services.trainer import experiment
from services.trainer.choice import chosen
from services.trainer.device import device
from services.trainer.gather import gather
from services.trainer.validation import Progress, Tell
from shared.records import Record


def train_and_report(
    records: Sequence[Record],
    out: Path,
    *,
    profile: str = "corrected",
    jobs: int = 1,
    classes: Sequence[str] | None = None,
    **changes: Any,
) -> None:
    """Train on the records' features beside the baselines, write the report under `out`, print it."""
    where = device()
    choice = chosen(profile, {**changes, "classes": classes}, where)
    place = Workspace(out)
    evaluation = gather(records, place.store(), choice)
    with interruptible(), fold_bar(choice.seeds * len(evaluation.folds)) as tell:
        experiment.run(evaluation, choice.settings, place.report, 1 if where != "cpu" else jobs, where, tell=tell)
    print_report(place.report)


@contextmanager
def fold_bar(folds: int) -> Iterator[Tell]:
    """One bar per learner; its remark is the newest epoch."""
    with bars() as progress:
        tasks: dict[str, Any] = {}

        def tell(news: Progress) -> None:
            if news.model not in tasks:
                tasks[news.model] = progress.add_task(news.model, total=folds * news.epochs, remark="")
            task = tasks[news.model]
            if news.epoch:
                remark = f"{news.held_out} seed {news.seed} epoch {news.epoch.number + 1} loss {news.epoch.loss:.3f}"
                progress.update(task, advance=1, remark=remark)
            elif news.reused or news.model not in ("fmer", "fmer-lite"):
                progress.update(task, advance=news.epochs, remark="reused" if news.reused else "")

        yield tell
