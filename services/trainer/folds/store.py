"""Trained folds in a store: weights and outcome under the key of the fold."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace

import safetensors.numpy
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from services.trainer.folds.fold import FoldJob, FoldOutcome, outcome_from_json, train_fold
from services.trainer.learners.base import NO_CALLBACKS, Learner, TrainingCallbacks
from services.trainer.learners.batch_source import TrainingDevice
from services.trainer.learners.checkpoint import SAVE_INTERVAL_SECONDS, StoredCheckpoint
from services.trainer.learners.registry import create_learner
from shared.store import NotStored, Store
from shared.training.annotations import PAPER_UNITS
from shared.training.settings import TrainSettings


def outcome_key(fold_key: str) -> str:
    """Store key of the outcome. A fold without a stored outcome counts as not trained."""
    return f"folds/{fold_key}.json"


def weights_key(fold_key: str) -> str:
    """Store key of the weights."""
    return f"folds/{fold_key}.safetensors"


@dataclass(frozen=True)
class FoldTrainer:
    """Trains folds one after another and stores them. Each process has its own.

    Runs and services both use it, so their folds have equal bytes. `checkpoint_seconds`: shortest time between two
    checkpoints of a training.
    """

    store: Store
    device: TrainingDevice = field(default_factory=TrainingDevice)
    checkpoint_seconds: float = SAVE_INTERVAL_SECONDS

    def train_and_store(self, job: FoldJob, callbacks: TrainingCallbacks = NO_CALLBACKS) -> FoldOutcome:
        """Train one fold and store it under its key. A killed training resumes from its newest checkpoint.

        Raises TrainingStopped and BadData as `train_fold` does.
        """
        checkpoint = StoredCheckpoint(self.store, job.key, self.checkpoint_seconds)
        with _limit_to_one_thread():
            outcome, learner = train_fold(job, self.device, replace(callbacks, checkpoint=checkpoint))
        store_fold(self.store, job.key, outcome, learner)
        checkpoint.delete()
        return outcome


def store_fold(store: Store, fold_key: str, outcome: FoldOutcome, learner: Learner) -> None:
    """Store the weights first, then the outcome."""
    store.put(weights_key(fold_key), safetensors.numpy.save(dict(learner.export_weights())))
    store.put(outcome_key(fold_key), json.dumps(asdict(outcome)).encode())


def load_outcome(store: Store, fold_key: str) -> FoldOutcome | None:
    """The stored outcome; None if there is none or it can not be read."""
    try:
        return outcome_from_json(json.loads(store.get(outcome_key(fold_key))))
    except (NotStored, ValueError, TypeError, KeyError):
        return None  # missing or cut off: the fold is trained again


def load_learner(
    store: Store, fold_key: str, classes: int, settings: TrainSettings, units: Sequence[int] = PAPER_UNITS
) -> Learner:
    """The fitted learner of a stored fold, ready to predict on the CPU. Raises NotStored if there is none.

    `units`: the action units of the features that it was trained on.
    """
    learner = create_learner(classes, settings, units=units)
    learner.load_weights(safetensors.numpy.load(store.get(weights_key(fold_key))))
    return learner


@contextmanager
def _limit_to_one_thread() -> Iterator[None]:
    """Sums have the same order on every machine, whatever else runs there."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
