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

from services.trainer.evaluation.plan import Evaluation
from services.trainer.evaluation.protocol import Fold as Split
from services.trainer.experiment import conclude, learners
from services.trainer.folds import fold as folds
from services.trainer.folds import store as kept
from services.trainer.folds.fold import Outcome
from services.trainer.learners.base import Watch
from services.trainer.options import Choice
from services.trainer.report.writer import FILES
from services.trainer.runs import definition
from services.trainer.service.metrics import TrainMetrics
from services.trainer.settings import TrainSettings
from services.trainer.sources.artifacts import gather, on_disk
from shared.bus.topics import topic
from shared.errors import BadData
from shared.records import Figures, Fold, FoldResult, Run, RunContents, RunResult
from shared.store import Store
from shared.telemetry import Metrics
from shared.worker import Output

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One fold of an open run, and the name that it is kept under."""

    settings: TrainSettings
    split: Split
    name: str


@dataclass(frozen=True)
class Opened:
    """A run with its features at hand; `present`: names of folds that are known to be stored, since none ever goes."""

    run: Run
    contents: RunContents
    choice: Choice
    evaluation: Evaluation
    present: set[str] = field(default_factory=set)

    @cached_property
    def tasks(self) -> dict[tuple[str, int, str], Task]:
        """Every fold, by learner, seed and what is held out."""
        digest = self.evaluation.features.digest
        return {
            (each.model, each.seed, split.held_out): Task(each, split, folds.key(digest, each, split))
            for each in learners(self.choice.settings, self.choice.seeds)
            for split in self.evaluation.folds
        }

    def task(self, fold: Fold) -> Task:
        """Raises BadData for a fold that the run does not have."""
        try:
            return self.tasks[fold.learner, fold.seed, fold.held_out]
        except KeyError:
            told = f"{fold.learner} with seed {fold.seed} for {fold.held_out}"
            raise BadData(f"Run {self.run.id} has no fold of {told}.") from None


@dataclass
class FoldTask:
    """A `shared.worker.Task`. It keeps the features of the newest run, in files below `scratch`."""

    store: Store
    trained: TrainMetrics
    device: str = "cpu"
    scratch: Path | None = None
    stop: Callable[[], bool] = lambda: False  # asked before each step of a training
    name = "trainer"
    version = folds.VERSION
    _opened: Opened | None = field(default=None, init=False)

    def work(self, value: bytes, metrics: Metrics) -> tuple[str, Sequence[Output]]:
        """Data that can't be trained on end the run, with a result that says why."""
        fold = Fold.decode(value)
        try:
            opened = self._open(fold.run)
        except BadData as reason:
            return self._told(fold, "failed", self._failed(fold.run, str(reason)))
        task = opened.task(fold)
        outcome, seconds = self._outcome(opened, task)
        if seconds is not None:
            metrics.compute.labels(self.name).observe(seconds)
            self.trained.seconds.labels(fold.learner).observe(seconds)
        said = "reused" if seconds is None else "computed"
        return self._told(fold, said, [_fold_result(fold, task, opened, outcome, seconds), *self._report(opened)])

    def _told(self, fold: Fold, said: str, results: Sequence[FoldResult | RunResult]) -> tuple[str, Sequence[Output]]:
        self.trained.folds.labels(fold.learner, said).inc()
        return said, [Output(topic("results").name, result.key, result.encode()) for result in results]

    def _failed(self, run: Run, reason: str) -> list[RunResult]:
        """What was reported stays, also when a fold comes again after its data were cleared away."""
        return [] if self.store.exists(f"{run.report}report.json") else [definition.failed(run, reason)]

    def _open(self, run: Run) -> Opened:
        if self._opened is None or self._opened.run.id != run.id:
            self._opened = None  # room for the next
            contents, choice = definition.opened(self.store, run)
            evaluation = gather(contents.features, self.store, choice, on_disk(self.scratch))
            self._opened = Opened(run, contents, choice, evaluation)
        return self._opened

    def _outcome(self, opened: Opened, task: Task) -> tuple[Outcome, float | None]:
        """The fold's outcome and the seconds that it took; None if it was there."""
        if found := kept.load(self.store, task.name):
            return found, None
        watch = Watch(self.trained.follow(task.settings.model, task.split.held_out), self.stop)
        started = time.monotonic()
        outcome = kept.train(
            self.store, task.name, opened.evaluation.features, task.split, task.settings, self.device, watch
        )
        return outcome, time.monotonic() - started

    def _report(self, opened: Opened) -> list[RunResult]:
        """The run's result, if this fold or an earlier one made it whole."""
        for task in opened.tasks.values():
            if task.name not in opened.present and not self.store.exists(kept.outcome_key(task.name)):
                return []
            opened.present.add(task.name)
        where = opened.run.report
        if self.store.exists(f"{where}report.json"):
            return [_run_result(opened, json.loads(self.store.get(f"{where}report.json")))]
        report = conclude(
            self.store,
            where,
            opened.evaluation,
            opened.choice.settings,
            self._outcomes(opened),
            faults=opened.contents.faults,
        )
        log.info("report written", extra={"mer": {"stage": self.name, "key": opened.run.id}})
        return [_run_result(opened, report)]

    def _outcomes(self, opened: Opened) -> dict[str, dict[int, list[Outcome]]]:
        """Of every learner and seed, in the order of the folds."""
        outcomes: dict[str, dict[int, list[Outcome]]] = {}
        for task in opened.tasks.values():
            found = kept.load(self.store, task.name)
            if found is None:
                raise BadData(f"{kept.outcome_key(task.name)} can't be read; delete it and publish the run again.")
            outcomes.setdefault(task.settings.model, {}).setdefault(task.settings.seed, []).append(found)
        return outcomes


def _fold_result(fold: Fold, task: Task, opened: Opened, outcome: Outcome, seconds: float | None) -> FoldResult:
    right = np.array(outcome.predicted) == opened.evaluation.features.emotions[task.split.test]
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
        outcome=kept.outcome_key(task.name),
    )


def _run_result(opened: Opened, report: Mapping[str, Any]) -> RunResult:
    run = opened.run
    return RunResult(
        run=run.id,
        status="done",
        figures={name: _figures(figures) for name, figures in report["spread"].items()},
        files={**{name: run.report + name for name in FILES}, "run.json": run.contents},
        **definition.about(run),
    )


def _figures(spread: Mapping[str, Any]) -> Figures:
    """Means over seeds; of one seed its own figures."""
    return Figures(**{name: figure["mean"] for name, figure in spread.items()})
