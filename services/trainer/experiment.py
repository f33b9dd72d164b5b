"""A model and its baselines on the same folds, and the report of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.trainer import loso, report
from services.trainer.dataset import Features
from services.trainer.folds import Outcome
from services.trainer.loso import Tell
from services.trainer.settings import TrainSettings
from shared.store import LocalStore, Store

BASELINES = ("majority", "linear")


def run(
    features: Features,
    settings: TrainSettings,
    folder: Path,
    jobs: int = 1,
    device: str = "cpu",
    baselines: Sequence[str] = BASELINES,
    tell: Tell = lambda progress: None,
    code: str = "",
) -> dict[str, Any]:
    """Train, test, score and write report.json, report.html and predictions.csv to `folder`; returns the report.

    Started again on the same features with the same settings, it computes only the folds that are missing.
    """
    model, *simple = learners(settings, baselines)
    outcomes: dict[str, list[Outcome]] = {each.model: loso.run(features, each, folder, tell=tell) for each in simple}
    outcomes[model.model] = loso.run(features, model, folder, jobs, device, tell)
    return conclude(LocalStore(folder), "", features, settings, outcomes, code)


def learners(settings: TrainSettings, baselines: Sequence[str] = BASELINES) -> list[TrainSettings]:
    """The settings of the model, then of the baselines that it is compared with."""
    simple = [settings.model_copy(update={"model": name}) for name in baselines if name != settings.model]
    return [settings, *simple]


def conclude(
    store: Store,
    prefix: str,
    features: Features,
    settings: TrainSettings,
    outcomes: Mapping[str, Sequence[Outcome]],
    code: str = "",
    faults: Sequence[str] = (),
) -> dict[str, Any]:
    """Score what the learners' folds gave, write the report under `prefix`, return it. Equal outcomes, equal bytes."""
    simple = {name: outcomes[name] for name in outcomes if name != settings.model}
    made = report.summary(features, settings, outcomes[settings.model], simple, code, faults)
    report.write(store, prefix, report.files(features, outcomes[settings.model], made))
    return made
