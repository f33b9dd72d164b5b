"""A choice without the test fold: some training subjects are held back, and decide which epoch's weights are kept."""

import numpy as np

from services.trainer.data.features import Features, Part
from services.trainer.evaluation.metrics import score
from services.trainer.evaluation.protocol import Fold, Indices, k_fold
from services.trainer.learners.base import Learner
from services.trainer.settings import TrainSettings


def held_back(features: Features, fold: Fold, settings: TrainSettings) -> tuple[Indices, Indices]:
    """(rows to fit on, rows held back) of a fold's training part: whole subjects, about one in `settings.inner`, by
    class as far as that goes. Raises BadData for fewer than two training subjects."""
    subjects, emotions = features.subjects[fold.train], features.emotions[fold.train]
    parts = max(2, min(settings.inner, len(np.unique(subjects))))
    inner = k_fold(subjects, emotions, parts, settings.seed)[settings.seed % parts]
    return fold.train[inner.train], fold.train[inner.test]


def judge(learner: Learner, part: Part) -> float:
    """UF1 of the learner, as it is trained so far, on the held-back part."""
    predicted = learner.predict(part).emotions.argmax(1)
    return float(score(part.emotions, predicted, part.emotions, resamples=1)["uf1"])
