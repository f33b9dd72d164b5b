"""What every learner, network or baseline, looks like from outside: fit on one part of the clips, predict another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.trainer.dataset import Part

Weights = Mapping[str, NDArray[Any]]


class Stopped(Exception):
    """Training was asked to stop before its end; nothing of it is kept."""


@dataclass(frozen=True)
class Predictions:
    """Probabilities: emotions [n,C], rows sum to 1; aus [n,9]."""

    emotions: NDArray[np.float64]
    aus: NDArray[np.float64]


@dataclass(frozen=True)
class Epoch:
    """Figures of one epoch on the training part, in train mode, and what was predicted then for the watched part."""

    number: int
    loss: float
    emotion_loss: float
    au_loss: float
    rate: float
    accuracy: float
    uf1: float
    watched: tuple[int, ...] = ()


@dataclass
class Watch:
    """Hooks of a training: told of each epoch, asked before each step whether to stop, and the part to be tested after
    each epoch for the oracle figure. The learner never lets that part shape its weights."""

    on_epoch: Callable[[Epoch], None] = lambda epoch: None
    stop: Callable[[], bool] = lambda: False
    part: Part | None = None
    epochs: list[Epoch] = field(default_factory=list)

    def note(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
        self.on_epoch(epoch)


class Learner(Protocol):
    """`fit` once, then `predict`; `weights` and `load` carry what was learned as named arrays."""

    def fit(self, train: Part, watch: Watch) -> None: ...
    def predict(self, part: Part) -> Predictions: ...
    def weights(self) -> Weights: ...
    def load(self, weights: Weights) -> None: ...
