"""The interface of every learner, network or baseline: `fit` on one part of the clips, `predict` another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.features import FeatureSubset

Weights = Mapping[str, NDArray[Any]]


class TrainingStopped(Exception):
    """Training was asked to stop before its end. Its weights are not stored."""


@dataclass(frozen=True)
class Predictions:
    """Probabilities: emotions [n,C], rows sum to 1; aus [n,K], None from a network without an AU head."""

    emotions: NDArray[np.float64]
    aus: NDArray[np.float64] | None


@dataclass(frozen=True)
class EpochSummary:
    """Figures of one epoch on the training part, in train mode.

    `watched`: classes predicted for the oracle part after the epoch. `au_f1`: of the clips that were coded for action
    units; None without AU predictions, or if no unit occurs. `clips`: number of clips drawn. `rate`: learning rate of
    the last step.
    """

    number: int
    loss: float
    emotion_loss: float
    au_loss: float
    rate: float
    accuracy: float
    uf1: float
    watched: tuple[int, ...] = ()
    au_f1: float | None = None
    clips: int = 0


def epoch_from_json(stored: Mapping[str, Any]) -> EpochSummary:
    """The summary whose fields JSON stored. Raises TypeError or KeyError for other fields."""
    return EpochSummary(**{**stored, "watched": tuple(stored["watched"])})


@dataclass(frozen=True)
class TrainingState:
    """A training after its newest epoch: everything that later epochs depend on, as arrays and as JSON values."""

    arrays: Mapping[str, NDArray[Any]]
    numbers: Mapping[str, Any]
    epochs: Sequence[EpochSummary]


class TrainingCheckpoint(Protocol):
    """Stores the state of a training while it runs."""

    def load_state(self) -> TrainingState | None:
        """The newest stored state of this training; None if there is none."""

    def save_if_due(self, capture: Callable[[], TrainingState]) -> None:
        """Store the state if it is time to. A learner calls this after each epoch."""


@dataclass(frozen=True)
class TrainingCallbacks:
    """Hooks of a training.

    on_epoch: called after each epoch. A resumed training calls it for the earlier epochs first.
    should_stop: asked before each step. If it returns true, the training raises TrainingStopped.
    oracle_subset: predicted after each epoch for the oracle figure. It never shapes the weights.
    score_validation: scores the weights after each epoch. The best epoch's weights are kept, of equals the first.
    checkpoint: stores the state, so that a killed training resumes.
    """

    on_epoch: Callable[[EpochSummary], None] = lambda epoch: None
    should_stop: Callable[[], bool] = lambda: False
    oracle_subset: FeatureSubset | None = None
    score_validation: Callable[[], float] | None = None
    checkpoint: TrainingCheckpoint | None = None


NO_CALLBACKS = TrainingCallbacks()


@dataclass(frozen=True)
class TrainingHistory:
    """What a training reports at its end. `best_epoch`: number of the epoch whose weights were kept; None if those of
    the last epoch were."""

    epochs: Sequence[EpochSummary] = ()
    best_epoch: int | None = None


class Learner(Protocol):
    """`fit` once, then `predict`. Weights are exported and loaded as named arrays."""

    def fit(self, train: FeatureSubset, callbacks: TrainingCallbacks) -> TrainingHistory: ...
    def predict(self, subset: FeatureSubset) -> Predictions: ...
    def export_weights(self) -> Weights: ...
    def load_weights(self, weights: Weights) -> None: ...
