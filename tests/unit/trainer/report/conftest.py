"""Reports of outcomes that a test writes down: nothing is trained."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from services.trainer.data.features import Features
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.folds.fold import FoldOutcome
from services.trainer.learners.base import EpochSummary
from services.trainer.report.model import Report
from services.trainer.report.summary import summarise_run
from shared.training.settings import TrainSettings

Sure = float | Sequence[float]


def outcome(features: Features, subject: str, predicted: Sequence[int], sure: float = 0.8, aus: bool = True, epochs=()):
    """One subject's fold: `sure` is the probability of what is predicted; AUs are as coded, or not predicted."""
    rows = [row for row, each in enumerate(features.subjects.tolist()) if each == subject]
    chances = np.full((len(rows), len(features.classes)), (1 - sure) / (len(features.classes) - 1))
    chances[np.arange(len(rows)), predicted] = sure
    units = features.au_targets(features.units)[rows].astype(float).tolist() if aus else None
    return FoldOutcome(
        subject,
        features.names[rows].tolist(),
        chances.tolist(),
        units,
        list(epochs),
        len(features) - len(rows),
        units=features.units if aus else (),
    )


def epochs(count: int) -> list[EpochSummary]:
    return [EpochSummary(i, 2.0 - i / 9, 1.2, 0.7, 1e-3, 0.5, 0.4) for i in range(count)]


@pytest.fixture
def two(toy) -> Callable[..., tuple[Features, dict, Report]]:
    """`two(features, seeds, ...)`: two subjects with the truth 0, 1, 2 each; a model that errs once per seed, always on
    another clip, and a baseline without units. -> features, outcomes, report."""

    def make(
        features: Features | None = None, seeds: int = 1, trained: int = 3, **given
    ) -> tuple[Features, dict, Report]:
        features = features or toy(2, 3)
        names = sorted(set(features.subjects.tolist()))
        model = {
            seed: [
                outcome(features, names[0], [0, 1, 2], epochs=epochs(trained)),
                outcome(
                    features, names[1], [(0, 1, 1), (0, 0, 2)][seed % 2], sure=0.6 + seed / 10, epochs=epochs(trained)
                ),
            ]
            for seed in range(seeds)
        }
        simple = {seed: [outcome(features, name, [0, 0, 0], aus=False) for name in names] for seed in range(seeds)}
        outcomes = {"fmer-lite": model, "majority": simple}
        return (
            features,
            outcomes,
            summarise_run(EvaluationPlan(features, seeds=seeds), TrainSettings(oracle=False), outcomes, **given),
        )

    return make
