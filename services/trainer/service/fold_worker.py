"""The group `trainer`: one fold in, its outcome out; and the report with the fold that makes the run whole.

Killed at any instant nothing is lost and nothing is done twice:

- Weights, then the outcome, then the result's message, then the commit. Killed before the outcome is stored, the fold
  is taken again and trained again, by the same seed to the same bytes; after it, it is taken again and found.
- Who stores an outcome looks afterwards whether all of the run are there. Whoever stores the last one sees all, so
  somebody writes the report; two who finish together both do, and write the same bytes, since a report follows from
  the outcomes alone. Its report.json comes last; killed before that, the fold that was not committed is taken again,
  found, and the report written again.
- A fold or a run that is published twice costs a request a message, and its results replace equal ones.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.experiment import ReportOptions, expand_learners, write_report
from services.trainer.folds import store as kept
from services.trainer.folds.fold import FOLD_VERSION, FoldJob, FoldOutcome
from services.trainer.learners.base import TrainingCallbacks
from services.trainer.learners.batch_source import TrainingDevice
from services.trainer.options import TrainingOptions
from services.trainer.report.writer import REPORT_FILES
from services.trainer.runs import definition
from services.trainer.service.metrics import TrainingMetrics
from services.trainer.sources.artifacts import load_plan_from_artifacts, memmap_allocator
from shared.bus.topics import RESULTS
from shared.errors import BadData
from shared.records import Figures, FoldRequest, FoldResult, Run, RunContents, RunResult
from shared.store import Store
from shared.telemetry import Metrics
from shared.worker import OutgoingMessage

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenRun:
    """A run with its features at hand; `present`: names of folds that are known to be stored, since none ever goes."""

    run: Run
    contents: RunContents
    options: TrainingOptions
    evaluation: EvaluationPlan
    stored_fold_keys: set[str] = field(default_factory=set)

    @cached_property
    def jobs(self) -> dict[tuple[str, int, str], FoldJob]:
        """Every fold, by learner, seed and what is held out."""
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
            told = f"{request.learner} with seed {request.seed} for {request.held_out}"
            raise BadData(f"Run {self.run.id} has no fold of {told}.") from None


@dataclass
class FoldHandler:
    """A `shared.worker.Task`. It keeps the features of the newest run, in files below `scratch`."""

    store: Store
    train_metrics: TrainingMetrics
    device: str = "cpu"
    scratch: Path | None = None
    should_stop: Callable[[], bool] = lambda: False  # asked before each step of a training
    name = "trainer"
    version = FOLD_VERSION
    _current_run: OpenRun | None = field(default=None, init=False)

    def handle(self, value: bytes, metrics: Metrics) -> tuple[str, Sequence[OutgoingMessage]]:
        """Data that can't be trained on end the run, with a result that says why."""
        fold = FoldRequest.decode(value)
        try:
            opened = self._open_run(fold.run)
        except BadData as reason:
            return self._publish_results(fold, "failed", self._failed_results(fold.run, str(reason)))
        task = opened.find_job(fold)
        outcome, seconds = self._load_or_train_fold(task)
        if seconds is not None:
            metrics.compute.labels(self.name).observe(seconds)
            self.train_metrics.seconds.labels(fold.learner).observe(seconds)
        said = "reused" if seconds is None else "computed"
        return self._publish_results(
            fold, said, [_fold_result(fold, task, opened, outcome, seconds), *self._report_if_complete(opened)]
        )

    def _publish_results(
        self, fold: FoldRequest, outcome_word: str, results: Sequence[FoldResult | RunResult]
    ) -> tuple[str, Sequence[OutgoingMessage]]:
        self.train_metrics.folds.labels(fold.learner, outcome_word).inc()
        return outcome_word, [OutgoingMessage(RESULTS.name, result.key, result.encode()) for result in results]

    def _failed_results(self, run: Run, reason: str) -> list[RunResult]:
        """What was reported stays, also when a fold comes again after its data were cleared away."""
        return [] if self.store.exists(f"{run.report_prefix}report.json") else [definition.failed_result(run, reason)]

    def _open_run(self, run: Run) -> OpenRun:
        if self._current_run is None or self._current_run.run.id != run.id:
            self._current_run = None  # room for the next
            contents, choice = definition.open_run(self.store, run)
            evaluation = load_plan_from_artifacts(contents.features, self.store, choice, memmap_allocator(self.scratch))
            self._current_run = OpenRun(run, contents, choice, evaluation)
        return self._current_run

    @cached_property
    def _fold_trainer(self) -> kept.FoldTrainer:
        return kept.FoldTrainer(self.store, TrainingDevice(self.device))

    def _load_or_train_fold(self, job: FoldJob) -> tuple[FoldOutcome, float | None]:
        """The fold's outcome and the seconds that it took; None if it was there."""
        if found := kept.load_outcome(self.store, job.key):
            return found, None
        watch = TrainingCallbacks(
            self.train_metrics.track_fold(job.settings.model, job.split.held_out), self.should_stop
        )
        started = time.monotonic()
        outcome = self._fold_trainer.train_and_store(job, watch)
        return outcome, time.monotonic() - started

    def _report_if_complete(self, open_run: OpenRun) -> list[RunResult]:
        """The run's result, if this fold or an earlier one made it whole."""
        for task in open_run.jobs.values():
            if task.key not in open_run.stored_fold_keys and not self.store.exists(kept.outcome_key(task.key)):
                return []
            open_run.stored_fold_keys.add(task.key)
        where = open_run.run.report_prefix
        if self.store.exists(f"{where}report.json"):
            return [_run_result(open_run, json.loads(self.store.get(f"{where}report.json")))]
        report = write_report(
            self.store,
            where,
            open_run.evaluation,
            open_run.options.settings,
            self._load_outcomes(open_run),
            ReportOptions(faults=open_run.contents.faults),
        )
        log.info("report written", extra={"mer": {"stage": self.name, "key": open_run.run.id}})
        return [_run_result(open_run, report)]

    def _load_outcomes(self, open_run: OpenRun) -> dict[str, dict[int, list[FoldOutcome]]]:
        """Of every learner and seed, in the order of the folds."""
        outcomes: dict[str, dict[int, list[FoldOutcome]]] = {}
        for task in open_run.jobs.values():
            found = kept.load_outcome(self.store, task.key)
            if found is None:
                raise BadData(f"{kept.outcome_key(task.key)} can't be read; delete it and publish the run again.")
            outcomes.setdefault(task.settings.model, {}).setdefault(task.settings.seed, []).append(found)
        return outcomes


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


def _run_result(open_run: OpenRun, report: Mapping[str, Any]) -> RunResult:
    run = open_run.run
    return RunResult(
        run=run.id,
        status="done",
        figures={name: _mean_figures(figures) for name, figures in report["spread"].items()},
        files={**{name: run.report_prefix + name for name in REPORT_FILES}, "run.json": run.contents_key},
        **definition.run_identity(run),
    )


def _mean_figures(spread: Mapping[str, Any]) -> Figures:
    """Means over seeds; of one seed its own figures."""
    return Figures(**{name: figure["mean"] for name, figure in spread.items()})
