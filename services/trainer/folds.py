"""One fold: train on all subjects but one, test that one; and the name that says from what."""

from collections.abc import Callable
from dataclasses import dataclass

from services.trainer.baselines import Linear, Majority
from services.trainer.dataset import Features, Part
from services.trainer.learner import Epoch, Learner, Watch
from services.trainer.network import Network
from services.trainer.protocol import Fold
from services.trainer.settings import TrainSettings
from shared.records import digest

VERSION = 1  # raise it when equal features and settings give another outcome: kept folds then count no longer
BASELINES: dict[str, Callable[[int, TrainSettings], Learner]] = {"majority": Majority, "linear": Linear}


@dataclass(frozen=True)
class Outcome:
    """What one fold gives: the test subject's clips, what was predicted for them, and how training went."""

    subject: str
    names: list[str]
    emotions: list[list[float]]  # probabilities [n][C]
    aus: list[list[float]]  # probabilities [n][9]
    epochs: list[Epoch]
    trained_on: int

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
    """Run one fold. The seed of a fold follows from the run's and the subject, not from the order of folds."""
    watch = watch or Watch()
    if settings.oracle:
        watch.part = Part(features, fold.test)
    fitted = learner(len(features.classes), settings, _seed(settings, fold), device)
    fitted.fit(Part(features, fold.train), watch)
    predictions = fitted.predict(Part(features, fold.test))
    outcome = Outcome(
        subject=fold.subject,
        names=features.names[fold.test].tolist(),
        emotions=predictions.emotions.tolist(),
        aus=predictions.aus.tolist(),
        epochs=watch.epochs,
        trained_on=len(fold.train),
    )
    return outcome, fitted


def key(features_digest: str, settings: TrainSettings, fold: Fold) -> str:
    """Digest of everything that shapes a fold's outcome."""
    made_from = {"features": features_digest, "settings": settings.model_dump(mode="json"), "subject": fold.subject}
    return digest({**made_from, "version": VERSION})[:32]


def _seed(settings: TrainSettings, fold: Fold) -> int:
    return int(digest([settings.seed, fold.subject])[:12], 16)
