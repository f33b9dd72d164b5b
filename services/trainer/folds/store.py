"""Folds that are done, kept in a store: weights and outcome under the digest of all that shaped them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import safetensors.numpy
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from services.trainer.data.features import Features
from services.trainer.evaluation.protocol import FoldSplit
from services.trainer.folds import fold as folds
from services.trainer.folds.fold import FoldOutcome
from services.trainer.learners.base import EpochSummary, Learner, TrainingCallbacks
from services.trainer.learners.checkpoint import StoredCheckpoint
from services.trainer.settings import TrainSettings
from shared.store import NotStored, Store


def outcome_key(fold_key: str) -> str:
    """Where the outcome lies; what has none does not exist."""
    return f"folds/{fold_key}.json"


def weights_key(fold_key: str) -> str:
    return f"folds/{fold_key}.safetensors"


def train_and_store_fold(
    store: Store,
    fold_key: str,
    features: Features,
    fold: FoldSplit,
    settings: TrainSettings,
    device: str = "cpu",
    callbacks: TrainingCallbacks | None = None,
) -> FoldOutcome:
    """Train one fold and keep it under its `folds.key`: in a run and in a service alike, for equal bytes. Killed in the
    middle, it goes on at its newest checkpoint."""
    checkpoint = StoredCheckpoint(store, fold_key)
    callbacks = replace(callbacks or TrainingCallbacks(), checkpoint=checkpoint)
    with _limit_to_one_thread():
        outcome, fitted = folds.train_fold(features, fold, settings, device, callbacks)
    store_fold(store, fold_key, outcome, fitted)
    checkpoint.delete()
    return outcome


def store_fold(store: Store, fold_key: str, outcome: FoldOutcome, fitted: Learner) -> None:
    """Weights first, then the outcome."""
    store.put(weights_key(fold_key), safetensors.numpy.save(dict(fitted.export_weights())))
    store.put(outcome_key(fold_key), json.dumps(asdict(outcome)).encode())


def load_outcome(store: Store, fold_key: str) -> FoldOutcome | None:
    """The outcome kept under this name, if there is one that can be read."""
    try:
        return _outcome_from_json(json.loads(store.get(outcome_key(fold_key))))
    except (NotStored, ValueError, TypeError, KeyError):
        return None  # absent or cut: it is computed again


def load_learner(store: Store, fold_key: str, classes: int, settings: TrainSettings, device: str = "cpu") -> Learner:
    """The fitted learner of a kept fold, ready to predict."""
    fitted = folds.create_learner(classes, settings, device=device)
    fitted.load_weights(safetensors.numpy.load(store.get(weights_key(fold_key))))
    return fitted


def _outcome_from_json(stored: Mapping[str, Any]) -> FoldOutcome:
    epochs = [EpochSummary(**{**epoch, "watched": tuple(epoch["watched"])}) for epoch in stored["epochs"]]
    return FoldOutcome(**{**stored, "epochs": epochs})


@contextmanager
def _limit_to_one_thread() -> Iterator[None]:
    """Sums are taken in the same order on every machine, beside whatever else runs there."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
