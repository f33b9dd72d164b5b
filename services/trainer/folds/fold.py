"""One fold: train on one part of the clips, test what is held out; and the name that says from what."""

from collections.abc import Callable
from dataclasses import dataclass

from services.trainer.data.features import Features, Part
from services.trainer.evaluation.protocol import Fold, Indices
from services.trainer.folds import inner
from services.trainer.learners.base import Epoch, Learner, Watch
from services.trainer.learners.baselines import Linear, Majority
from services.trainer.learners.network import Network
from services.trainer.settings import TrainSettings
from shared.records import digest

VERSION = 4  # raise it when equal features and settings give another outcome: kept folds then count no longer
BASELINES: dict[str, Callable[[int, TrainSettings], Learner]] = {"majority": Majority, "linear": Linear}


@dataclass(frozen=True)
class Outcome:
    """What one fold gives: the held-out clips, what was predicted for them, and how training went. `kept_epoch`: the
    one (from 0) whose weights were tested, where held-back training subjects chose it."""

    held_out: str
    names: list[str]
    emotions: list[list[float]]  # probabilities [n][C]
    aus: list[list[float]] | None  # probabilities [n][9]; None from a learner that says nothing of them
    epochs: list[Epoch]
    trained_on: int
    kept_epoch: int | None = None

    @property
    def predicted(self) -> list[int]:
        """Class index per clip."""
        return [max(range(len(row)), key=row.__getitem__) for row in self.emotions]


def learner(classes: int, settings: TrainSettings, seed: int = 0, device: str = "cpu") -> Learner:
    """The learner that the settings name."""
    if settings.model in BASELINES:
        return BASELINES[settings.model](classes, settings)
    return Network(classes, settings, seed, device)


def train(
    features: Features, fold: Fold, settings: TrainSettings, device: str = "cpu", watch: Watch | None = None
) -> tuple[Outcome, Learner]:
    """Run one fold. Its seed follows from the run's and from what is held out, not from the order of folds."""
    watch = watch or Watch()
    if settings.oracle:
        watch.part = Part(features, fold.test)
    fitted = learner(len(features.classes), settings, _seed(settings, fold), device)
    rows = _fitted_on(fitted, features, fold, settings, watch)
    fitted.fit(Part(features, rows), watch)
    predictions = fitted.predict(Part(features, fold.test))
    outcome = Outcome(
        held_out=fold.held_out,
        names=features.names[fold.test].tolist(),
        emotions=predictions.emotions.tolist(),
        aus=None if predictions.aus is None else predictions.aus.tolist(),
        epochs=watch.epochs,
        trained_on=len(rows),
        kept_epoch=watch.chosen if watch.judge else None,
    )
    return outcome, fitted


def _fitted_on(fitted: Learner, features: Features, fold: Fold, settings: TrainSettings, watch: Watch) -> Indices:
    """The fold's training part, or what is left of it when some subjects are held back to choose an epoch by."""
    if settings.keep != "best-inner" or settings.model in BASELINES:
        return fold.train
    rows, back = inner.held_back(features, fold, settings)
    watch.judge = lambda: inner.judge(fitted, Part(features, back))
    return rows


def key(features_digest: str, settings: TrainSettings, fold: Fold) -> str:
    """Digest of everything that shapes a fold's outcome."""
    made_from = {"features": features_digest, "settings": settings.model_dump(mode="json"), "held_out": fold.held_out}
    rows = {"train": fold.train.tolist(), "test": fold.test.tolist()}
    return digest({**made_from, **rows, "version": VERSION})[:32]


def _seed(settings: TrainSettings, fold: Fold) -> int:
    return int(digest([settings.seed, fold.held_out])[:12], 16)
