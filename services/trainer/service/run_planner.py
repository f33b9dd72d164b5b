"""The group `planner`: a run in, its folds out as messages for the group `trainer`.

A bus maps keys to partitions by a hash, and partitions to workers in shares. If each fold had its own key, two workers
would get 9:3 of 12 folds or worse in one run of seven. Therefore folds get keys of known partitions, in steps of 11.
Such steps are even over every second partition and over neighbouring partitions: a group assigns either. Two workers
get 7:5 of 12 folds at worst, and equal shares if they start together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.bus.topics import FOLDS, RESULTS
from shared.errors import BadData
from shared.records import FoldRequest, Run
from shared.store import Store
from shared.telemetry import Metrics
from shared.training import definition
from shared.worker import OutgoingMessage

# The text of number PARTITION_KEYS[p] falls into partition p of 24, by the murmur2 hash of Kafka's clients.
PARTITION_KEYS = (11, 4, 101, 7, 42, 16, 5, 13, 2, 59, 20, 9, 17, 46, 36, 1, 18, 57, 34, 31, 0, 25, 6, 3)
PARTITION_STEP = 11


@dataclass(frozen=True)
class RunPlanner:
    """A `shared.worker.MessageHandler`. It publishes every fold, also one that is stored already.

    A worker that gets a stored fold finds it with one request.
    """

    store: Store
    scratch: Path | None = None
    name = "planner"
    version = 2

    def handle(self, value: bytes, metrics: Metrics) -> tuple[str, Sequence[OutgoingMessage]]:
        """Publish the folds of a run. A run that cannot be trained ends as a result with the reason."""
        if not value:
            return "withdrawn", []
        run = Run.decode(value)
        if self.store.exists(run.cancellation_key):
            return "cancelled", []
        try:
            listed = definition.list_stored_folds(self.store, run, self.scratch)
        except BadData as reason:
            result = definition.failed_result(run, str(reason))
            return "failed", [OutgoingMessage(RESULTS.name, result.key, result.encode())]
        folds = (
            FoldRequest(run=run, learner=learner, seed=seed, held_out=held_out) for learner, seed, held_out in listed
        )
        return "planned", [
            OutgoingMessage(FOLDS.name, fold_partition_key(run.id, number), fold.encode())
            for number, fold in enumerate(folds)
        ]


def fold_partition_key(run: str, number: int) -> str:
    """The message key of a run's fold by its number. Runs start at different partitions."""
    return str(PARTITION_KEYS[(int(run[:8], 16) + PARTITION_STEP * number) % len(PARTITION_KEYS)])
