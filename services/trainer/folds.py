"""One fold: train on all subjects but one, test that one, keep weights and outcome under a name that says from what."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.numpy

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
    seconds: float

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
    started = time.monotonic()
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
        seconds=round(time.monotonic() - started, 3),
    )
    return outcome, fitted


def key(features_digest: str, settings: TrainSettings, fold: Fold) -> str:
    """Digest of everything that shapes a fold's outcome."""
    made_from = {"features": features_digest, "settings": settings.model_dump(mode="json"), "subject": fold.subject}
    return digest({**made_from, "version": VERSION})


def save(folder: Path, name: str, outcome: Outcome, fitted: Learner) -> None:
    """Weights first, then the outcome: a fold without its .json does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = safetensors.numpy.save(dict(fitted.weights()))
    _write(folder / f"{name}.safetensors", weights)
    _write(folder / f"{name}.json", json.dumps(asdict(outcome)).encode())


def load(folder: Path, name: str) -> Outcome | None:
    """The outcome kept under this name, if there is one that can be read."""
    try:
        return outcome_of(json.loads((folder / f"{name}.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None  # absent or cut: it is computed again


def outcome_of(kept: Mapping[str, Any]) -> Outcome:
    """An outcome from what JSON holds of it."""
    epochs = [Epoch(**{**epoch, "watched": tuple(epoch["watched"])}) for epoch in kept["epochs"]]
    return Outcome(**{**kept, "epochs": epochs})


def restore(folder: Path, name: str, classes: int, settings: TrainSettings, device: str = "cpu") -> Learner:
    """The fitted learner of a kept fold, ready to predict."""
    fitted = learner(classes, settings, device=device)
    fitted.load(safetensors.numpy.load_file(folder / f"{name}.safetensors"))
    return fitted


def _seed(settings: TrainSettings, fold: Fold) -> int:
    return int(digest([settings.seed, fold.subject])[:12], 16)


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)
