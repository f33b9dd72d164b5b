"""From features to a report: the trainer's settings chosen, progress shown."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from merstream.cli.progress import bars
from merstream.commands.report import print_report
from merstream.embedded.features import Extracted, interruptible
from merstream.embedded.run_folder import Pooled, Workspace
from services.trainer import experiment
from services.trainer.evaluation.plan import Evaluation
from services.trainer.folds.cross_validation import Progress, Tell
from services.trainer.folds.fold import BASELINES
from services.trainer.learners.batch_source import side_by_side
from services.trainer.options import Choice, chosen
from services.trainer.runs.definition import choice_of
from services.trainer.runs.manifest import stated
from services.trainer.sources.artifacts import gather
from services.trainer.sources.samples_csv import clips, read
from services.trainer.sources.samples_csv import gather as gather_table
from shared.action_units import parse
from shared.device import device
from shared.records import RunContents
from shared.store import LocalStore

RUN = "run.json"  # what a run consists of, beside its report


def train_and_report(
    found: Extracted,
    outs: Sequence[Path],
    *,
    profile: str = "corrected",
    jobs: int = 1,
    faces: bool = False,
    **asked: Any,
) -> None:
    """Train on features of the run folders `outs` beside the baselines, write the report under the first, print it.

    `asked`: what `services.trainer.options.chosen` reads. `faces`: with frames of the misclassified clips.
    """
    run = of_features(found, chosen(profile, asked, device()))
    report_on(run, Workspace(outs[0]).report, lambda: gathered(run, outs), jobs=jobs, faces=faces)


def train_on_table(
    table: Path, out: Path, *, profile: str = "corrected", jobs: int = 1, faces: bool = False, **asked: Any
) -> None:
    """The same on the features that somebody's `samples.csv` names."""
    run = of_table(table, chosen(profile, asked, device()))
    report_on(
        run, Workspace(out).report, lambda: gather_table(table, choice_of(run, RUN), parse), jobs=jobs, faces=faces
    )


def of_features(found: Extracted, choice: Choice) -> RunContents:
    """The run that these features and this choice make."""
    names = dict.fromkeys(record.sample.dataset for record in found.features)
    pipelines = dict.fromkeys(record.pipeline.digest for record in found.features)
    about = "+".join(sorted(names)), "+".join(sorted(pipelines))
    return stated(*about, choice, found.features, faults=found.faults, device=device())


def of_table(table: Path, choice: Choice) -> RunContents:
    """The run that somebody's table and this choice make. Raises BadData."""
    rows = clips(read(table, parse))
    return stated("+".join(sorted({row.dataset for row in rows})), "", choice, table=rows, device=device())


def gathered(run: RunContents, outs: Sequence[Path]) -> Evaluation:
    """What it is trained and tested on, from the stores of run folders."""
    store = Pooled([Workspace(out).folder / "store" for out in outs])
    return gather(run.features, store, choice_of(run, RUN))


def report_on(
    run: RunContents, folder: Path, gather: Callable[[], Evaluation], *, jobs: int = 1, faces: bool = False
) -> None:
    """Write run.json, train, write the report, all into `folder`; print it."""
    where, settings = device(), choice_of(run, RUN).settings
    with interruptible():
        evaluation = gather()
    LocalStore(folder).put(RUN, (run.model_dump_json(by_alias=True, indent=2) + "\n").encode())
    processes = side_by_side(evaluation.features, settings.model, jobs, where)
    with interruptible(), fold_bar(evaluation.seeds * len(evaluation.folds)) as tell:
        experiment.run(evaluation, settings, folder, processes, where, tell=tell, faults=run.faults, faces=faces)
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
