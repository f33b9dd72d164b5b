"""One fold: train on one part of the clips, test what is held out; and the name that says from what."""

from collections.abc import Callable
from dataclasses import dataclass

from services.trainer.data.features import Features, FeatureSubset
from services.trainer.evaluation.protocol import FoldSplit, Indices
from services.trainer.folds import inner
from services.trainer.learners.base import EpochSummary, Learner, TrainingCallbacks
from services.trainer.learners.baselines import LinearLearner, MajorityLearner
from services.trainer.learners.network import NetworkLearner
from services.trainer.settings import TrainSettings
from shared.records import json_digest

FOLD_VERSION = 4  # raise it when equal features and settings give another outcome: kept folds then count no longer
BASELINE_LEARNERS: dict[str, Callable[[int, TrainSettings], Learner]] = {
    "majority": MajorityLearner,
    "linear": LinearLearner,
}


@dataclass(frozen=True)
class FoldOutcome:
    """What one fold gives: the held-out clips, what was predicted for them, and how training went. `kept_epoch`: the
    one (from 0) whose weights were tested, where held-back training subjects chose it."""

    held_out: str
    names: list[str]
    emotions: list[list[float]]  # probabilities [n][C]
    aus: list[list[float]] | None  # probabilities [n][9]; None from a learner that says nothing of them
    epochs: list[EpochSummary]
    trained_on: int
    kept_epoch: int | None = None

    @property
    def predicted_classes(self) -> list[int]:
        """Class index per clip."""
        return [max(range(len(row)), key=row.__getitem__) for row in self.emotions]


def create_learner(classes: int, settings: TrainSettings, seed: int = 0, device: str = "cpu") -> Learner:
    """The learner that the settings name."""
    if settings.model in BASELINE_LEARNERS:
        return BASELINE_LEARNERS[settings.model](classes, settings)
    return NetworkLearner(classes, settings, seed, device)


def train_fold(
    features: Features,
    fold: FoldSplit,
    settings: TrainSettings,
    device: str = "cpu",
    callbacks: TrainingCallbacks | None = None,
) -> tuple[FoldOutcome, Learner]:
    """Run one fold. Its seed follows from the run's and from what is held out, not from the order of folds."""
    callbacks = callbacks or TrainingCallbacks()
    if settings.oracle:
        callbacks.oracle_subset = FeatureSubset(features, fold.test)
    fitted = create_learner(len(features.classes), settings, _fold_seed(settings, fold), device)
    rows = _select_training_rows(fitted, features, fold, settings, callbacks)
    fitted.fit(FeatureSubset(features, rows), callbacks)
    predictions = fitted.predict(FeatureSubset(features, fold.test))
    outcome = FoldOutcome(
        held_out=fold.held_out,
        names=features.names[fold.test].tolist(),
        emotions=predictions.emotions.tolist(),
        aus=None if predictions.aus is None else predictions.aus.tolist(),
        epochs=callbacks.epochs,
        trained_on=len(rows),
        kept_epoch=callbacks.best_epoch if callbacks.score_validation else None,
    )
    return outcome, fitted


def _select_training_rows(
    fitted: Learner, features: Features, fold: FoldSplit, settings: TrainSettings, callbacks: TrainingCallbacks
) -> Indices:
    """The fold's training part, or what is left of it when some subjects are held back to choose an epoch by."""
    if settings.keep != "best-inner" or settings.model in BASELINE_LEARNERS:
        return fold.train
    rows, back = inner.split_off_validation_subjects(features, fold, settings)
    callbacks.score_validation = lambda: inner.validation_uf1(fitted, FeatureSubset(features, back))
    return rows


def fold_key(features_digest: str, settings: TrainSettings, fold: FoldSplit) -> str:
    """Digest of everything that shapes a fold's outcome."""
    made_from = {"features": features_digest, "settings": settings.model_dump(mode="json"), "held_out": fold.held_out}
    rows = {"train": fold.train.tolist(), "test": fold.test.tolist()}
    return json_digest({**made_from, **rows, "version": FOLD_VERSION})[:32]


def _fold_seed(settings: TrainSettings, fold: FoldSplit) -> int:
    return int(json_digest([settings.seed, fold.held_out])[:12], 16)
