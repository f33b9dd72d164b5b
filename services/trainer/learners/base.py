"""What every learner, network or baseline, looks like from outside: fit on one part of the clips, predict another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.features import FeatureSubset

Weights = Mapping[str, NDArray[Any]]


class TrainingStopped(Exception):
    """Training was asked to stop before its end; nothing of it is kept."""


@dataclass(frozen=True)
class Predictions:
    """Probabilities: emotions [n,C], rows sum to 1; aus [n,9], None from a network without a head for them."""

    emotions: NDArray[np.float64]
    aus: NDArray[np.float64] | None


@dataclass(frozen=True)
class EpochSummary:
    """Figures of one epoch on the training part, in train mode, and what was predicted then for the watched part.
    `au_f1` is None without AU predictions, or where no unit occurs; `clips`: how many it drew."""

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


@dataclass(frozen=True)
class TrainingState:
    """A training after its newest epoch: all that the epochs to come depend on, as arrays and as what JSON holds."""

    arrays: Mapping[str, NDArray[Any]]
    numbers: Mapping[str, Any]
    epochs: Sequence[EpochSummary]


class TrainingCheckpoint(Protocol):
    """Where a training is kept while it runs."""

    def load_state(self) -> TrainingState | None:
        """What was kept last of this training, if there is anything."""

    def save_if_due(self, capture: Callable[[], TrainingState]) -> None:
        """After an epoch: keep the state if it is time to."""


@dataclass
class TrainingCallbacks:
    """Hooks of a training: told of each epoch, asked before each step whether to stop, the part to be tested after
    each epoch for the oracle figure, a judge of the weights as they are after an epoch (the best are kept, of equals
    the first; `chosen` is then their epoch), and the keeper of what must survive a kill. The learner never lets the
    part shape its weights. Who goes on from a kept state is told of the epochs before it, too."""

    on_epoch: Callable[[EpochSummary], None] = lambda epoch: None
    should_stop: Callable[[], bool] = lambda: False
    oracle_subset: FeatureSubset | None = None
    score_validation: Callable[[], float] | None = None
    checkpoint: TrainingCheckpoint | None = None
    best_epoch: int | None = None
    epochs: list[EpochSummary] = field(default_factory=list)

    def record_epoch(self, epoch: EpochSummary) -> None:
        self.epochs.append(epoch)
        self.on_epoch(epoch)


class Learner(Protocol):
    """`fit` once, then `predict`; `weights` and `load` carry what was learned as named arrays."""

    def fit(self, train: FeatureSubset, callbacks: TrainingCallbacks) -> None: ...
    def predict(self, subset: FeatureSubset) -> Predictions: ...
    def export_weights(self) -> Weights: ...
    def load_weights(self, weights: Weights) -> None: ...
