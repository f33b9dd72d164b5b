"""The group `planner`: a run in, its folds out as tasks for the group `trainer`."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.trainer.runs import definition
from services.trainer.service import spread
from shared.bus.topics import topic
from shared.errors import BadData
from shared.records import Fold, Run
from shared.store import Store
from shared.telemetry import Metrics
from shared.worker import Output


@dataclass(frozen=True)
class Planner:
    """A `shared.worker.Task`. Folds that are done are published too: whoever takes one finds it, for one request."""

    store: Store
    name = "planner"
    version = 2

    def work(self, value: bytes, metrics: Metrics) -> tuple[str, Sequence[Output]]:
        """A run that can't be done ends as a result that says why."""
        run = Run.decode(value)
        try:
            contents, choice = definition.opened(self.store, run)
            tasks = definition.tasks(contents.features, choice)
        except BadData as reason:
            result = definition.failed(run, str(reason))
            return "failed", [Output(topic("results").name, result.key, result.encode())]
        folds = (Fold(run=run, learner=learner, seed=seed, held_out=held_out) for learner, seed, held_out in tasks)
        there = topic("folds").name
        return "planned", [Output(there, spread.key(run.id, k), fold.encode()) for k, fold in enumerate(folds)]
