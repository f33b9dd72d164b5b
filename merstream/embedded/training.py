"""From features to a report: the trainer's settings chosen, progress shown."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from merstream.cli.progress import progress_bars
from merstream.cli.report_view import print_report
from merstream.embedded.features import ExtractedFeatures, exit_on_interrupt
from merstream.embedded.run_folder import PooledStores, Workspace
from services.trainer import experiment
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.folds.cross_validation import FoldPool, FoldProgress, ProgressCallback
from services.trainer.learners.batch_source import max_parallel_folds
from services.trainer.learners.registry import BASELINES
from services.trainer.options import TrainingOptions, resolve_options
from services.trainer.runs.definition import options_of_run
from services.trainer.runs.manifest import describe_run
from services.trainer.sources.artifacts import load_plan_from_artifacts
from services.trainer.sources.samples_csv import load_plan_from_table, read_samples_csv, table_clips
from shared.device import choose_device
from shared.records import RunContents
from shared.store import LocalStore

RUN_FILE = "run.json"  # what a run consists of, beside its report


def train_and_report(
    extracted: ExtractedFeatures,
    run_folders: Sequence[Path],
    *,
    profile: str = "corrected",
    jobs: int = 1,
    faces: bool = False,
    **asked: Any,
) -> None:
    """Train on features of the run folders `outs` beside the baselines, write the report under the first, print it.

    `asked`: what `services.trainer.options.chosen` reads. `faces`: with frames of the misclassified clips.
    """
    run = run_from_features(extracted, resolve_options(profile, asked, choose_device()))
    train_and_write_report(
        run,
        Workspace(run_folders[0]).report_folder,
        lambda: load_evaluation_plan(run, run_folders),
        jobs=jobs,
        faces=faces,
    )


def train_on_table(
    table: Path, out: Path, *, profile: str = "corrected", jobs: int = 1, faces: bool = False, **asked: Any
) -> None:
    """The same on the features that somebody's `samples.csv` names."""
    run = run_from_table(table, resolve_options(profile, asked, choose_device()))
    train_and_write_report(
        run,
        Workspace(out).report_folder,
        lambda: load_plan_from_table(table, options_of_run(run, RUN_FILE)),
        jobs=jobs,
        faces=faces,
    )


def run_from_features(extracted: ExtractedFeatures, choice: TrainingOptions) -> RunContents:
    """The run that these features and this choice make."""
    names = dict.fromkeys(record.sample.dataset for record in extracted.features)
    pipelines = dict.fromkeys(record.pipeline.digest for record in extracted.features)
    about = "+".join(sorted(names)), "+".join(sorted(pipelines))
    return describe_run(*about, choice, extracted.features, faults=extracted.faults, device=choose_device())


def run_from_table(table: Path, choice: TrainingOptions) -> RunContents:
    """The run that somebody's table and this choice make. Raises BadData."""
    rows = table_clips(read_samples_csv(table))
    return describe_run("+".join(sorted({row.dataset for row in rows})), "", choice, table=rows, device=choose_device())


def load_evaluation_plan(run: RunContents, run_folders: Sequence[Path]) -> EvaluationPlan:
    """What it is trained and tested on, from the stores of run folders."""
    store = PooledStores([Workspace(out).folder / "store" for out in run_folders])
    return load_plan_from_artifacts(run.features, store, options_of_run(run, RUN_FILE))


def train_and_write_report(
    run: RunContents, folder: Path, load_plan: Callable[[], EvaluationPlan], *, jobs: int = 1, faces: bool = False
) -> None:
    """Write run.json, train, write the report, all into `folder`; print it."""
    where, settings = choose_device(), options_of_run(run, RUN_FILE).settings
    with exit_on_interrupt():
        evaluation = load_plan()
    LocalStore(folder).put(RUN_FILE, (run.model_dump_json(by_alias=True, indent=2) + "\n").encode())
    processes = max_parallel_folds(evaluation.features, settings.model, jobs, where)
    with exit_on_interrupt(), learner_bars(evaluation.seeds * len(evaluation.folds)) as tell:
        pool = FoldPool(processes, where, on_progress=tell)
        report = experiment.ReportOptions(faults=run.faults, faces=faces)
        experiment.run_experiment(evaluation, settings, folder, pool, report)
    print_report(folder)


@contextmanager
def learner_bars(folds: int) -> Iterator[ProgressCallback]:
    """One bar per learner; its remark is the newest epoch."""
    with progress_bars() as progress:
        tasks: dict[str, Any] = {}

        def update_bar(fold_progress: FoldProgress) -> None:
            if fold_progress.model not in tasks:
                tasks[fold_progress.model] = progress.add_task(
                    fold_progress.model, total=folds * fold_progress.epochs, remark=""
                )
            task = tasks[fold_progress.model]
            if fold_progress.epoch:
                epoch = fold_progress.epoch
                remark = (
                    f"{fold_progress.held_out} seed {fold_progress.seed} epoch {epoch.number + 1} loss {epoch.loss:.3f}"
                )
                progress.update(task, advance=1, remark=remark)
            elif fold_progress.reused or fold_progress.model in BASELINES:
                progress.update(task, advance=fold_progress.epochs, remark="reused" if fold_progress.reused else "")

        yield update_bar
