"""A choice without the test fold: some training subjects are held back, and decide which epoch's weights are kept."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from services.trainer.dataset import Features, Part
from services.trainer.evaluate import score
from services.trainer.learner import Epoch, Learner, Weights
from services.trainer.protocol import Fold, Indices, k_fold
from services.trainer.settings import TrainSettings


def held_back(features: Features, fold: Fold, settings: TrainSettings) -> tuple[Indices, Indices]:
    """(rows to fit on, rows held back) of a fold's training part: whole subjects, about one in `settings.inner`, by
    class as far as that goes. Raises BadData for fewer than two training subjects."""
    subjects, emotions = features.subjects[fold.train], features.emotions[fold.train]
    parts = max(2, min(settings.inner, len(np.unique(subjects))))
    inner = k_fold(subjects, emotions, parts, settings.seed)[settings.seed % parts]
    return fold.train[inner.train], fold.train[inner.test]


@dataclass
class Chooser:
    """Told of each epoch, it keeps the weights of the one with the best UF1 on the held-back part; of equals the
    first."""

    learner: Learner
    part: Part
    on_epoch: Callable[[Epoch], None]  # who is told besides
    epoch: int | None = None
    _uf1: float = -1.0
    _weights: Weights = field(default_factory=dict)

    def note(self, epoch: Epoch) -> None:
        predicted = self.learner.predict(self.part).emotions.argmax(1)
        uf1 = score(self.part.emotions, predicted, self.part.emotions, resamples=1)["uf1"]
        if uf1 > self._uf1:
            self.epoch, self._uf1, self._weights = epoch.number, uf1, self.learner.weights()
        self.on_epoch(epoch)

    def conclude(self) -> None:
        """Put the kept weights back; a learner without epochs stays as it was fitted."""
        if self.epoch is not None:
            self.learner.load(self._weights)
