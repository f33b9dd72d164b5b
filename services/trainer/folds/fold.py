"""One fold: train on one part of the clips and test the held-out part; the key that identifies its inputs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from services.trainer.data.arrays import Indices
from services.trainer.data.features import Features, FeatureSubset
from services.trainer.evaluation.metrics import score_emotions
from services.trainer.learners.au_targets import learns_units
from services.trainer.learners.base import (
    NO_CALLBACKS,
    EpochSummary,
    Learner,
    TrainingCallbacks,
    epoch_from_json,
)
from services.trainer.learners.batch_source import TrainingDevice
from services.trainer.learners.registry import BASELINES, create_learner, units_of_learner
from shared.records import json_digest
from shared.training.learners import FOLD_VERSION
from shared.training.protocol import FoldSplit, stratified_k_folds
from shared.training.settings import TrainSettings


@dataclass(frozen=True)
class FoldOutcome:
    """The result of one fold: the held-out clips, their predictions, and the course of the training.

    `kept_epoch`: number (from 0) of the epoch whose weights were tested, if validation subjects selected it. `units`:
    the K action units of `aus`.
    """

    held_out: str
    names: list[str]
    emotions: list[list[float]]  # probabilities [n][C]
    # Probabilities [n][K]; None from a learner without AU predictions, or if no clip to train on was coded for them.
    aus: list[list[float]] | None
    epochs: list[EpochSummary]
    trained_on: int
    kept_epoch: int | None = None
    units: tuple[int, ...] = ()

    @property
    def predicted_classes(self) -> list[int]:
        """Class index per clip."""
        return [max(range(len(row)), key=row.__getitem__) for row in self.emotions]


OutcomesByLearner = Mapping[str, Mapping[int, Sequence[FoldOutcome]]]  # by learner, then by seed


def outcome_from_json(stored: Mapping[str, Any]) -> FoldOutcome:
    """The outcome whose fields JSON stored. Raises TypeError or KeyError for other fields."""
    epochs = [epoch_from_json(epoch) for epoch in stored["epochs"]]
    return FoldOutcome(**{**stored, "epochs": epochs, "units": tuple(stored["units"])})


@dataclass(frozen=True)
class FoldJob:
    """One fold to train: its clips and the settings of its learner."""

    features: Features
    split: FoldSplit
    settings: TrainSettings

    @cached_property
    def key(self) -> str:
        """The key of the fold's outcome and weights in a store."""
        return fold_key(self.features.digest, self.settings, self.split)

    @property
    def seed(self) -> int:
        """Follows from the run's seed and from what is held out. The order of the folds plays no part."""
        return int(json_digest([self.settings.seed, self.split.held_out])[:12], 16)

    @property
    def selects_epoch(self) -> bool:
        """Whether validation subjects select the epoch whose weights are tested."""
        return self.settings.keep == "best-inner" and self.settings.model not in BASELINES


def fold_key(features_digest: str, settings: TrainSettings, split: FoldSplit) -> str:
    """Digest of everything that shapes a fold's outcome."""
    inputs = {"features": features_digest, "settings": settings.model_dump(mode="json"), "held_out": split.held_out}
    rows = {"train": split.train.tolist(), "test": split.test.tolist()}
    return json_digest({**inputs, **rows, "version": FOLD_VERSION})[:32]


def train_fold(
    job: FoldJob,
    device: TrainingDevice | None = None,
    callbacks: TrainingCallbacks = NO_CALLBACKS,
    score_validation: Callable[[Learner, FeatureSubset], float] | None = None,
) -> tuple[FoldOutcome, Learner]:
    """Train and test one fold; also returns the fitted learner.

    `score_validation`: scores the weights after each epoch on the validation subjects, default `validation_uf1`. Raises
    TrainingStopped, and BadData if there are too few training subjects to split off validation subjects.
    """
    features, split, score = job.features, job.split, score_validation or validation_uf1
    learner = create_learner(len(features.classes), job.settings, job.seed, device, features.units)
    train_rows, test = split.train, FeatureSubset(features, split.test)
    if job.settings.oracle:
        callbacks = replace(callbacks, oracle_subset=test)
    if job.selects_epoch:
        train_rows, validation_rows = split_off_validation_subjects(job)
        validation = FeatureSubset(features, validation_rows)
        callbacks = replace(callbacks, score_validation=lambda: score(learner, validation))
    train = FeatureSubset(features, train_rows)
    history = learner.fit(train, callbacks)
    predictions = learner.predict(test)
    has_units = predictions.aus is not None and learns_units(train, job.settings)
    outcome = FoldOutcome(
        held_out=split.held_out,
        names=features.names[split.test].tolist(),
        emotions=predictions.emotions.tolist(),
        aus=predictions.aus.tolist() if predictions.aus is not None and has_units else None,
        epochs=list(history.epochs),
        trained_on=len(train_rows),
        kept_epoch=history.best_epoch if job.selects_epoch else None,
        units=units_of_learner(job.settings.model, features.units) if has_units else (),
    )
    return outcome, learner


def split_off_validation_subjects(job: FoldJob) -> tuple[Indices, Indices]:
    """Rows to train on and rows for validation, both from the fold's training part.

    Validation gets whole subjects, about one in `settings.inner`, with similar shares of each class. Raises BadData for
    fewer than two training subjects.
    """
    train, settings = job.split.train, job.settings
    subjects, emotions = job.features.subjects[train], job.features.emotions[train]
    parts = max(2, min(settings.inner, len(np.unique(subjects))))
    inner = stratified_k_folds(subjects, emotions, parts, settings.seed)[settings.seed % parts]
    return train[inner.train], train[inner.test]


def validation_uf1(learner: Learner, validation: FeatureSubset) -> float:
    """UF1 of the learner, with its present weights, on the validation clips."""
    predicted = learner.predict(validation).emotions.argmax(1)
    return float(score_emotions(validation.emotions, predicted, validation.emotions, resamples=1)["uf1"])
