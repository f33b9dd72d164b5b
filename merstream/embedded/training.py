"""From features to a report: the run is stated, trained and tested, with or without progress in the terminal."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from merstream.caller_script import hide_caller_script
from merstream.cli.console import progress_bars
from merstream.cli.report_view import print_report
from merstream.embedded.features import ExtractedFeatures
from merstream.embedded.run_folder import PooledStores, Workspace
from services.trainer import experiment
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.folds.cross_validation import FoldPool, FoldProgress, ProgressCallback
from services.trainer.learners.batch_source import max_parallel_folds
from services.trainer.learners.registry import BASELINES
from services.trainer.report.model import Report
from services.trainer.sources.artifacts import load_plan_from_artifacts
from services.trainer.sources.sample_rows import read_samples_csv
from services.trainer.sources.samples_csv import load_plan_from_table, table_clips
from shared.device import choose_device
from shared.run_contents import RunContents
from shared.storage_faults import require_writable_folder, stop_on_storage_fault
from shared.store import LocalStore
from shared.training.clip_selection import select_by_protocol
from shared.training.definition import options_of_run
from shared.training.manifest import describe_run
from shared.training.options import TrainingOptions, resolve_options

RUN_FILE = "run.json"  # states what a run consists of, beside its report
TABLE_NETWORK = {"map_head": "none", "map_scaling": "per-clip"}  # fields of `ModelSettings`


@dataclass(frozen=True)
class TrainingJob:
    """A run, the folder of its report, and a function that loads the clips."""

    run: RunContents
    folder: Path
    load_plan: Callable[[], EvaluationPlan]

    def write_report(
        self,
        evaluation: EvaluationPlan,
        *,
        jobs: int = 1,
        faces: bool = False,
        on_progress: ProgressCallback = lambda progress: None,
    ) -> Report:
        """Write run.json, train and test every fold, write and return the report. `load_plan` gives `evaluation`.

        Raises StorageRefused if the disk is full or the folder cannot be written. Folds that ended are kept.
        """
        device, settings = choose_device(), options_of_run(self.run, RUN_FILE).settings
        processes = max_parallel_folds(settings.model, jobs, device)
        with stop_on_storage_fault(self.folder), hide_caller_script():
            LocalStore(self.folder).put(RUN_FILE, (self.run.model_dump_json(by_alias=True, indent=2) + "\n").encode())
            pool = FoldPool(processes, device, on_progress=on_progress)
            options = experiment.ReportOptions(faults=self.run.faults, faces=faces)
            return experiment.run_experiment(evaluation, settings, self.folder, pool, options)


def train_and_report(
    extracted: ExtractedFeatures,
    run_folders: Sequence[Path],
    *,
    profile: str = "corrected",
    jobs: int = 1,
    faces: bool = False,
    **requested: Any,
) -> None:
    """Train a model and its baselines on features of run folders, write the report in the first folder, print it.

    `shared.training.options.resolve_options` reads `requested`. `faces` adds frames of misclassified clips.
    """
    job = job_on_features(extracted, run_folders, resolve_options(profile, requested, choose_device()))
    train_and_print(job, jobs=jobs, faces=faces)


def train_on_table(
    table: Path, out: Path, *, profile: str = "corrected", jobs: int = 1, faces: bool = False, **requested: Any
) -> None:
    """Train as `train_and_report` does, on the features that a `samples.csv` names."""
    train_and_print(job_on_table(table, out, resolve_table_options(profile, requested)), jobs=jobs, faces=faces)


def resolve_table_options(profile: str, requested: dict[str, Any]) -> TrainingOptions:
    """The options of a training on a `samples.csv`; `requested` as `resolve_options` reads it.

    Maps of others come in units of their own and from aligned faces: `TABLE_NETWORK` is the default for them.
    """
    if profile == "corrected":
        requested = {**requested, "network": TABLE_NETWORK | (requested.get("network") or {})}
    return resolve_options(profile, requested, choose_device())


def job_on_features(extracted: ExtractedFeatures, run_folders: Sequence[Path], options: TrainingOptions) -> TrainingJob:
    """The training job of these options on features in the stores of run folders."""
    run = run_from_features(extracted, options)
    return TrainingJob(run, Workspace(run_folders[0]).report_folder, lambda: load_evaluation_plan(run, run_folders))


def job_on_table(table: Path, out: Path, options: TrainingOptions) -> TrainingJob:
    """The training job of these options on a `samples.csv`. Raises BadData for a faulty table."""
    run = run_from_table(table, options)
    return TrainingJob(run, Workspace(out).report_folder, lambda: load_table_plan(run, table))


def run_from_features(extracted: ExtractedFeatures, options: TrainingOptions) -> RunContents:
    """The run that these features and options state."""
    names = dict.fromkeys(record.sample.dataset for record in extracted.features)
    pipelines = dict.fromkeys(record.pipeline.digest for record in extracted.features)
    identity = "+".join(sorted(names)), "+".join(sorted(pipelines))
    return describe_run(*identity, options, extracted.features, faults=extracted.faults, device=choose_device())


def run_from_table(table: Path, options: TrainingOptions) -> RunContents:
    """The run that a `samples.csv` and these options state. Raises BadData for a faulty table.

    The names of people are checked before any clip's file is read.
    """
    listed = read_samples_csv(table)
    select_by_protocol(listed, options.protocol, options.classes)
    rows = table_clips(listed)
    names = "+".join(sorted({row.dataset for row in rows}))
    return describe_run(names, "", options, table=rows, device=choose_device())


def load_evaluation_plan(run: RunContents, run_folders: Sequence[Path]) -> EvaluationPlan:
    """The clips and folds of a run on features, from the stores of run folders."""
    store = PooledStores([Workspace(out).folder / "store" for out in run_folders])
    return load_plan_from_artifacts(run.features, store, options_of_run(run, RUN_FILE))


def load_table_plan(run: RunContents, table: Path) -> EvaluationPlan:
    """The clips and folds of a run on a `samples.csv`."""
    return load_plan_from_table(table, options_of_run(run, RUN_FILE))


def train_and_print(job: TrainingJob, *, jobs: int = 1, faces: bool = False) -> None:
    """Do a training job with bars in the terminal, and print the figures of its report.

    Raises StorageRefused before any work if the report's folder cannot be written.
    """
    require_writable_folder(job.folder)
    evaluation = job.load_plan()
    with learner_bars(evaluation.seeds * len(evaluation.folds)) as show_progress:
        job.write_report(evaluation, jobs=jobs, faces=faces, on_progress=show_progress)
    print_report(job.folder)


@contextmanager
def learner_bars(folds: int) -> Iterator[ProgressCallback]:
    """One bar per learner, with the newest epoch as its remark. Yields the callback that moves them."""
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
