"""A choice without the test fold: some training subjects are held back, and decide which epoch's weights are kept."""

import numpy as np

from services.trainer.data.features import Features, FeatureSubset
from services.trainer.evaluation.metrics import score_emotions
from services.trainer.evaluation.protocol import FoldSplit, Indices, stratified_k_folds
from services.trainer.learners.base import Learner
from services.trainer.settings import TrainSettings


def split_off_validation_subjects(
    features: Features, fold: FoldSplit, settings: TrainSettings
) -> tuple[Indices, Indices]:
    """(rows to fit on, rows held back) of a fold's training part: whole subjects, about one in `settings.inner`, by
    class as far as that goes. Raises BadData for fewer than two training subjects."""
    subjects, emotions = features.subjects[fold.train], features.emotions[fold.train]
    parts = max(2, min(settings.inner, len(np.unique(subjects))))
    inner = stratified_k_folds(subjects, emotions, parts, settings.seed)[settings.seed % parts]
    return fold.train[inner.train], fold.train[inner.test]


def validation_uf1(learner: Learner, part: FeatureSubset) -> float:
    """UF1 of the learner, as it is trained so far, on the held-back part."""
    predicted = learner.predict(part).emotions.argmax(1)
    return float(score_emotions(part.emotions, predicted, part.emotions, resamples=1)["uf1"])
