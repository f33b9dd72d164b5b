"""A model and its baselines on the same folds, and the report of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.trainer import loso, report
from services.trainer.dataset import Features
from services.trainer.loso import Tell
from services.trainer.settings import TrainSettings


def run(
    features: Features,
    settings: TrainSettings,
    folder: Path,
    jobs: int = 1,
    device: str = "cpu",
    baselines: Sequence[str] = ("majority", "linear"),
    tell: Tell = lambda progress: None,
    code: str = "",
) -> dict[str, Any]:
    """Train, test, score and write report.json, report.html and predictions.csv to `folder`; returns the report.

    Started again on the same features with the same settings, it computes only the folds that are missing.
    """
    simple = {
        name: loso.run(features, settings.model_copy(update={"model": name}), folder, tell=tell)
        for name in baselines
        if name != settings.model
    }
    outcomes = loso.run(features, settings, folder, jobs, device, tell)
    made = report.summary(features, settings, outcomes, simple, code)
    report.write(folder, features, outcomes, made)
    return made
