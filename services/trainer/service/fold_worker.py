"""The group `trainer`: a fold in, its outcome out. The last fold of a run also writes the report.

If a worker is killed at any time, nothing is lost and every effect happens once:

- Order: weights, outcome, message with the result, commit. A fold without a stored outcome is delivered again and
  trained again, with the same seed to the same bytes. A fold with a stored outcome is delivered again and found.
- After a worker has stored an outcome, it checks if all outcomes of the run are stored. The worker that stores the last
  one sees all of them, so at least one worker writes the report. Two workers that finish together both write it, with
  the same bytes: the report depends only on the outcomes.
- report.json is written last. If the worker is killed before that, its fold is not committed. It is delivered again,
  and the report is written again.
- A fold or run that is published twice costs a few requests of the store. Its results replace equal ones.
- The folds of a cancelled run are committed untrained. One that is being trained stops between two steps.
- The course of a fold is deleted before its message is committed, whatever becomes of the fold.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.experiment import ReportOptions, write_report
from services.trainer.folds import store as kept
from services.trainer.folds.fold import FoldJob, FoldOutcome
from services.trainer.learners.base import EpochSummary, TrainingCallbacks, TrainingStopped
from services.trainer.learners.batch_source import TrainingDevice
from services.trainer.report.model import FIGURES, FigureSpreads, Report
from services.trainer.report.writer import REPORT_FILES
from services.trainer.service.cancellation import ASK_SECONDS, CancellationWatch
from services.trainer.service.course_writer import WRITE_SECONDS, CourseWriter
from services.trainer.service.metrics import TrainingMetrics
from services.trainer.sources.artifacts import load_plan_from_artifacts, memmap_allocator
from shared.bus.topics import RESULTS
from shared.device import choose_device
from shared.errors import BadData, Unavailable
from shared.records import Figures, FoldRequest, FoldResult, Run, RunResult
from shared.run_contents import RunContents
from shared.store import Store
from shared.telemetry import Metrics
from shared.training import definition
from shared.training.fold_course import FoldCourse, course_key
from shared.training.learners import FOLD_VERSION, expand_learners
from shared.training.options import TrainingOptions
from shared.worker import OutgoingMessage
from shared.worker.child_handler import HandlerTools

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenRun:
    """A run with its features loaded. `stored_fold_keys`: folds that were found stored. A stored fold stays stored."""

    run: Run
    contents: RunContents
    options: TrainingOptions
    evaluation: EvaluationPlan
    stored_fold_keys: set[str] = field(default_factory=set)

    @cached_property
    def jobs(self) -> dict[tuple[str, int, str], FoldJob]:
        """Every fold, by learner, seed and held-out group."""
        return {
            (each.model, each.seed, split.held_out): FoldJob(self.evaluation.features, split, each)
            for each in expand_learners(self.options.settings, self.options.seeds)
            for split in self.evaluation.folds
        }

    def find_job(self, request: FoldRequest) -> FoldJob:
        """Raises BadData for a fold that the run does not have."""
        try:
            return self.jobs[request.learner, request.seed, request.held_out]
        except KeyError:
            fold = f"{request.learner} with seed {request.seed} for {request.held_out}"
            raise BadData(f"Run {self.run.id} has no fold of {fold}; publish the run again.") from None


@dataclass
class FoldHandler:
    """A `shared.worker.MessageHandler`. It keeps the features of the newest run in files below `scratch`."""

    store: Store
    train_metrics: TrainingMetrics
    device: str = "cpu"
    scratch: Path | None = None
    should_stop: Callable[[], bool] = lambda: False  # called before each training step
    ask_seconds: float = ASK_SECONDS  # between two questions whether the run was cancelled
    write_seconds: float = WRITE_SECONDS  # between two states of the course that are stored
    name = "trainer"
    version = FOLD_VERSION
    _current_run: OpenRun | None = field(default=None, init=False)

    def handle(self, value: bytes, metrics: Metrics) -> tuple[str, Sequence[OutgoingMessage]]:
        """Train or find a fold. A run that cannot be trained on its data ends with a result that has the reason."""
        fold = FoldRequest.decode(value)
        cancellation = CancellationWatch(self.store, fold.run, self.ask_seconds)
        if cancellation.is_cancelled():
            return self._publish_results(fold, "cancelled", [])
        try:
            opened = self._open_run(fold.run)
        except BadData as reason:
            return self._publish_results(fold, "failed", self._failed_results(fold.run, str(reason)))
        job = opened.find_job(fold)
        try:
            outcome, seconds = self._load_or_train_fold(fold, job, cancellation)
        except TrainingStopped:
            if not cancellation.is_cancelled():
                raise
            return self._publish_results(fold, "cancelled", [])
        if seconds is not None:
            metrics.compute.labels(self.name).observe(seconds)
            self.train_metrics.seconds.labels(fold.learner).observe(seconds)
        outcome_word = "reused" if seconds is None else "computed"
        fold_result = _fold_result(fold, job, opened, outcome, seconds)
        # What is stored is told in any case: whoever deletes the run learns from it what to delete.
        stopped = self.store.exists(fold.run.cancellation_key)
        report = [] if stopped else self._report_if_complete(opened)
        return self._publish_results(fold, outcome_word, [fold_result, *report])

    def _publish_results(
        self, fold: FoldRequest, outcome_word: str, results: Sequence[FoldResult | RunResult]
    ) -> tuple[str, Sequence[OutgoingMessage]]:
        self.train_metrics.folds.labels(fold.learner, outcome_word).inc()
        with suppress(Unavailable):
            self.store.delete(course_key(fold))  # an earlier worker may have left one
        return outcome_word, [OutgoingMessage(RESULTS.name, result.key, result.encode()) for result in results]

    def _failed_results(self, run: Run, reason: str) -> list[RunResult]:
        """A run that has a report keeps it, even if a fold is delivered again after its data were deleted."""
        return [] if self.store.exists(f"{run.report_prefix}report.json") else [definition.failed_result(run, reason)]

    def _open_run(self, run: Run) -> OpenRun:
        if self._current_run is None or self._current_run.run.id != run.id:
            self._current_run = None  # free its memory first
            contents, options = definition.open_run(self.store, run)
            allocator = memmap_allocator(self.scratch)
            evaluation = load_plan_from_artifacts(contents.features, self.store, options, allocator)
            self._current_run = OpenRun(run, contents, options, evaluation)
        return self._current_run

    @cached_property
    def _fold_trainer(self) -> kept.FoldTrainer:
        return kept.FoldTrainer(self.store, TrainingDevice(self.device))

    def _load_or_train_fold(
        self, fold: FoldRequest, job: FoldJob, cancellation: CancellationWatch
    ) -> tuple[FoldOutcome, float | None]:
        """The fold's outcome and the seconds of its training, None if it was stored already."""
        if found := kept.load_outcome(self.store, job.key):
            return found, None
        track_epoch = self.train_metrics.track_fold(fold.learner, fold.held_out)
        course = FoldCourse(
            learner=fold.learner,
            seed=fold.seed,
            held_out=fold.held_out,
            trained_on=len(job.split.train),
            tested_on=len(job.split.test),
        )
        writer = CourseWriter(self.store, course_key(fold), course, self.write_seconds)

        def follow_epoch(epoch: EpochSummary) -> None:
            track_epoch(epoch)
            writer.note_epoch(epoch)

        callbacks = TrainingCallbacks(follow_epoch, lambda: self.should_stop() or cancellation.is_cancelled())
        started = time.monotonic()
        outcome = self._fold_trainer.train_and_store(job, callbacks)
        return outcome, time.monotonic() - started

    def _report_if_complete(self, open_run: OpenRun) -> list[RunResult]:
        """The run's result, if all its folds are stored."""
        for job in open_run.jobs.values():
            if job.key not in open_run.stored_fold_keys and not self.store.exists(kept.outcome_key(job.key)):
                return []
            open_run.stored_fold_keys.add(job.key)
        prefix = open_run.run.report_prefix
        report_key = f"{prefix}report.json"
        if self.store.exists(report_key):
            return [_run_result(open_run, Report.decode(self.store.get(report_key), report_key))]
        report = write_report(
            self.store,
            prefix,
            open_run.evaluation,
            open_run.options.settings,
            self._load_outcomes(open_run),
            ReportOptions(faults=open_run.contents.faults),
        )
        log.info("report written", extra={"mer": {"stage": self.name, "key": open_run.run.id}})
        return [_run_result(open_run, report)]

    def _load_outcomes(self, open_run: OpenRun) -> dict[str, dict[int, list[FoldOutcome]]]:
        """The outcomes by learner and seed, in the order of the folds."""
        outcomes: dict[str, dict[int, list[FoldOutcome]]] = {}
        for job in open_run.jobs.values():
            found = kept.load_outcome(self.store, job.key)
            if found is None:
                raise BadData(f"{kept.outcome_key(job.key)} cannot be read; delete it and publish the run again.")
            outcomes.setdefault(job.settings.model, {}).setdefault(job.settings.seed, []).append(found)
        return outcomes


def build_fold_handler(tools: HandlerTools) -> FoldHandler:
    """The handler of a service, in the process that works."""
    metrics = TrainingMetrics(tools.metrics.registry)
    return FoldHandler(tools.store, metrics, choose_device(), tools.settings.scratch, tools.should_stop)


def _fold_result(
    fold: FoldRequest, job: FoldJob, open_run: OpenRun, outcome: FoldOutcome, seconds: float | None
) -> FoldResult:
    right = np.array(outcome.predicted_classes) == open_run.evaluation.features.emotions[job.split.test]
    return FoldResult(
        run=fold.run.id,
        dataset=fold.run.dataset,
        pipeline=fold.run.pipeline,
        learner=fold.learner,
        seed=fold.seed,
        held_out=fold.held_out,
        trained_on=outcome.trained_on,
        tested_on=len(outcome.names),
        accuracy=float(right.mean()),
        seconds=None if seconds is None else round(seconds, 3),
        outcome=kept.outcome_key(job.key),
    )


def _run_result(open_run: OpenRun, report: Report) -> RunResult:
    run = open_run.run
    return RunResult(
        run=run.id,
        status="done",
        figures={name: _mean_figures(spreads) for name, spreads in report.spread.items()},
        files={**{name: run.report_prefix + name for name in REPORT_FILES}, "run.json": run.contents_key},
        **definition.run_identity(run),
    )


def _mean_figures(spreads: FigureSpreads) -> Figures:
    """The means over seeds; for one seed its own figures."""
    return Figures.model_validate({name: getattr(spreads, name).mean for name in FIGURES})
