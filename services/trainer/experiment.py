"""A model and its baselines on the same folds, and the report of it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.trainer.evaluation.plan import Evaluation
from services.trainer.folds import cross_validation
from services.trainer.folds.cross_validation import Tell
from services.trainer.folds.fold import Outcome
from services.trainer.learners import registry
from services.trainer.report.summary import summary
from services.trainer.report.writer import files, write
from services.trainer.settings import TrainSettings
from shared.store import LocalStore, Store

BASELINES = ("majority", "linear")
Outcomes = Mapping[str, Mapping[int, Sequence[Outcome]]]  # by learner and seed


def run(
    evaluation: Evaluation,
    settings: TrainSettings,
    folder: Path,
    jobs: int = 1,
    device: str = "cpu",
    baselines: Sequence[str] = BASELINES,
    tell: Tell = lambda progress: None,
    code: str = "",
    faults: Sequence[str] = (),
    faces: bool = False,
) -> dict[str, Any]:
    """Train, test, score and write the files of the report to `folder`; returns the report. `faces`: with frames of the
    misclassified clips.

    Started again on the same features with the same settings, it computes only the folds that are missing.
    """
    outcomes: Outcomes = {}
    baselines = [name for name in baselines if name in registry.trainable(evaluation.features.holds)]
    for each in reversed(learners(settings, evaluation.seeds, baselines)):  # the simple ones first: they are soon done
        side_by_side = (jobs, device) if each.model == settings.model else (1, "cpu")
        found = cross_validation.run(evaluation.features, each, evaluation.folds, folder, *side_by_side, tell)
        outcomes = {**outcomes, each.model: {each.seed: found, **outcomes.get(each.model, {})}}
    return conclude(LocalStore(folder), "", evaluation, settings, outcomes, code, faults, faces)


def learners(settings: TrainSettings, seeds: int = 1, baselines: Sequence[str] = BASELINES) -> list[TrainSettings]:
    """The settings of the model, for each seed from its own on, then of the baselines that it is compared with."""
    names = [settings.model, *(name for name in baselines if name != settings.model)]
    sown = range(settings.seed, settings.seed + seeds)
    return [settings.model_copy(update={"model": name, "seed": seed}) for name in names for seed in sown]


def conclude(
    store: Store,
    prefix: str,
    evaluation: Evaluation,
    settings: TrainSettings,
    outcomes: Outcomes,
    code: str = "",
    faults: Sequence[str] = (),
    faces: bool = False,
) -> dict[str, Any]:
    """Score what the learners' folds gave, write the report under `prefix`, return it. Equal outcomes, equal bytes."""
    ordered = {model: dict(sorted(outcomes[model].items())) for model in sorted(outcomes, key=_place(settings.model))}
    made = summary(evaluation, settings, ordered, code, faults)
    write(store, prefix, files(evaluation.features, ordered, made, faces))
    return made


def _place(model: str) -> Callable[[str], tuple[bool, int, str]]:
    """The model first, then the baselines in their usual order."""
    return lambda name: (name != model, BASELINES.index(name) if name in BASELINES else len(BASELINES), name)
