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
from services.trainer.evaluation.protocol import Fold
from services.trainer.folds import fold as folds
from services.trainer.folds.fold import Outcome
from services.trainer.learners.base import Epoch, Learner, Watch
from services.trainer.learners.checkpoint import Checkpoint
from services.trainer.settings import TrainSettings
from shared.store import NotStored, Store


def outcome_key(name: str) -> str:
    """Where the outcome lies; what has none does not exist."""
    return f"folds/{name}.json"


def weights_key(name: str) -> str:
    return f"folds/{name}.safetensors"


def train(
    store: Store,
    name: str,
    features: Features,
    fold: Fold,
    settings: TrainSettings,
    device: str = "cpu",
    watch: Watch | None = None,
) -> Outcome:
    """Train one fold and keep it under its `folds.key`: in a run and in a service alike, for equal bytes. Killed in the
    middle, it goes on at its newest checkpoint."""
    checkpoint = Checkpoint(store, name)
    watch = replace(watch or Watch(), keeper=checkpoint)
    with _one_thread():
        outcome, fitted = folds.train(features, fold, settings, device, watch)
    save(store, name, outcome, fitted)
    checkpoint.delete()
    return outcome


def save(store: Store, name: str, outcome: Outcome, fitted: Learner) -> None:
    """Weights first, then the outcome."""
    store.put(weights_key(name), safetensors.numpy.save(dict(fitted.weights())))
    store.put(outcome_key(name), json.dumps(asdict(outcome)).encode())


def load(store: Store, name: str) -> Outcome | None:
    """The outcome kept under this name, if there is one that can be read."""
    try:
        return _outcome(json.loads(store.get(outcome_key(name))))
    except (NotStored, ValueError, TypeError, KeyError):
        return None  # absent or cut: it is computed again


def restore(store: Store, name: str, classes: int, settings: TrainSettings, device: str = "cpu") -> Learner:
    """The fitted learner of a kept fold, ready to predict."""
    fitted = folds.learner(classes, settings, device=device)
    fitted.load(safetensors.numpy.load(store.get(weights_key(name))))
    return fitted


def _outcome(kept: Mapping[str, Any]) -> Outcome:
    epochs = [Epoch(**{**epoch, "watched": tuple(epoch["watched"])}) for epoch in kept["epochs"]]
    return Outcome(**{**kept, "epochs": epochs})


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums are taken in the same order on every machine, beside whatever else runs there."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
