"""The group `planner`: a run in, its folds out as tasks for the group `trainer`."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.trainer.runs import definition
from services.trainer.service import spread
from shared.bus.topics import FOLDS, RESULTS
from shared.errors import BadData
from shared.records import FoldRequest, Run
from shared.store import Store
from shared.telemetry import Metrics
from shared.worker import OutgoingMessage


@dataclass(frozen=True)
class RunPlanner:
    """A `shared.worker.Task`. Folds that are done are published too: whoever takes one finds it, for one request."""

    store: Store
    name = "planner"
    version = 2

    def handle(self, value: bytes, metrics: Metrics) -> tuple[str, Sequence[OutgoingMessage]]:
        """A run that can't be done ends as a result that says why."""
        run = Run.decode(value)
        try:
            contents, choice = definition.open_run(self.store, run)
            tasks = definition.list_folds(contents.features, choice)
        except BadData as reason:
            result = definition.failed_result(run, str(reason))
            return "failed", [OutgoingMessage(RESULTS.name, result.key, result.encode())]
        folds = (
            FoldRequest(run=run, learner=learner, seed=seed, held_out=held_out) for learner, seed, held_out in tasks
        )
        there = FOLDS.name
        return "planned", [
            OutgoingMessage(there, spread.fold_partition_key(run.id, k), fold.encode()) for k, fold in enumerate(folds)
        ]
