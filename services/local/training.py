"""From features to a report: the trainer's settings chosen, progress shown."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.ingest.catalogue.action_units import parse
from services.local.jobs import Extracted, interruptible
from services.local.progress import bars
from services.local.reports import print_report
from services.local.workspace import Pooled, Workspace
from services.trainer import experiment
from services.trainer.choice import Choice, chosen
from services.trainer.device import device
from services.trainer.evaluation import Evaluation
from services.trainer.folds import BASELINES
from services.trainer.gather import gather
from services.trainer.supply import side_by_side
from services.trainer.table import gather as gather_table
from services.trainer.validation import Progress, Tell


def train_and_report(
    found: Extracted,
    outs: Sequence[Path],
    *,
    profile: str = "corrected",
    jobs: int = 1,
    **asked: Any,
) -> None:
    """Train on features of the run folders `outs` beside the baselines, write the report under the first, print it.

    `asked`: what `services.trainer.choice.chosen` reads.
    """
    where = device()
    choice = chosen(profile, asked, where)
    store = Pooled([Workspace(out).folder / "store" for out in outs])
    with interruptible():
        evaluation = gather(found.features, store, choice)
    report_on(evaluation, choice, Workspace(outs[0]).report, jobs=jobs, where=where, faults=found.faults)


def train_on_table(table: Path, out: Path, *, profile: str = "corrected", jobs: int = 1, **asked: Any) -> None:
    """The same on the features that somebody's `samples.csv` names."""
    where = device()
    choice = chosen(profile, asked, where)
    with interruptible():
        evaluation = gather_table(table, choice, parse)
    report_on(evaluation, choice, Workspace(out).report, jobs=jobs, where=where)


def report_on(
    evaluation: Evaluation,
    choice: Choice,
    folder: Path,
    *,
    jobs: int = 1,
    where: str = "cpu",
    faults: Sequence[str] = (),
) -> None:
    """Train, write the report into `folder`, print it. `faults`: a sentence per clip that has no features."""
    processes = side_by_side(evaluation.features, choice.settings.model, jobs, where)
    with interruptible(), fold_bar(choice.seeds * len(evaluation.folds)) as tell:
        experiment.run(evaluation, choice.settings, folder, processes, where, tell=tell, faults=faults)
    print_report(folder)


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
            elif news.reused or news.model in BASELINES:
                progress.update(task, advance=news.epochs, remark="reused" if news.reused else "")

        yield tell
