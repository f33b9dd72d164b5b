"""A model and its baselines on the same folds, and the report of it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.folds import cross_validation
from services.trainer.folds.cross_validation import ProgressCallback
from services.trainer.learners import registry
from services.trainer.report.clips import OutcomesByLearner
from services.trainer.report.model import Report
from services.trainer.report.summary import summarise_run
from services.trainer.report.writer import render_files, write_files
from services.trainer.settings import TrainSettings
from shared.store import LocalStore, Store

BASELINE_NAMES = ("majority", "linear")


def run_experiment(
    evaluation: EvaluationPlan,
    settings: TrainSettings,
    folder: Path,
    jobs: int = 1,
    device: str = "cpu",
    baselines: Sequence[str] = BASELINE_NAMES,
    on_progress: ProgressCallback = lambda progress: None,
    code: str = "",
    faults: Sequence[str] = (),
    faces: bool = False,
) -> Report:
    """Train, test, score and write the files of the report to `folder`; returns the report. `faces`: with frames of the
    misclassified clips.

    Started again on the same features with the same settings, it computes only the folds that are missing.
    """
    outcomes: OutcomesByLearner = {}
    baselines = [name for name in baselines if name in registry.trainable_learners(evaluation.features.array_names)]
    for each in reversed(
        expand_learners(settings, evaluation.seeds, baselines)
    ):  # the simple ones first: they are soon done
        side_by_side = (jobs, device) if each.model == settings.model else (1, "cpu")
        found = cross_validation.run_folds(
            evaluation.features, each, evaluation.folds, folder, *side_by_side, on_progress
        )
        outcomes = {**outcomes, each.model: {each.seed: found, **outcomes.get(each.model, {})}}
    return write_report(LocalStore(folder), "", evaluation, settings, outcomes, code, faults, faces)


def expand_learners(
    settings: TrainSettings, seeds: int = 1, baselines: Sequence[str] = BASELINE_NAMES
) -> list[TrainSettings]:
    """The settings of the model, for each seed from its own on, then of the baselines that it is compared with."""
    names = [settings.model, *(name for name in baselines if name != settings.model)]
    sown = range(settings.seed, settings.seed + seeds)
    return [settings.model_copy(update={"model": name, "seed": seed}) for name in names for seed in sown]


def write_report(
    store: Store,
    prefix: str,
    evaluation: EvaluationPlan,
    settings: TrainSettings,
    outcomes: OutcomesByLearner,
    code: str = "",
    faults: Sequence[str] = (),
    faces: bool = False,
) -> Report:
    """Score what the learners' folds gave, write the report under `prefix`, return it. Equal outcomes, equal bytes."""
    ordered = {
        model: dict(sorted(outcomes[model].items())) for model in sorted(outcomes, key=_report_order(settings.model))
    }
    made = summarise_run(evaluation, settings, ordered, code, faults)
    write_files(store, prefix, render_files(evaluation.features, ordered, made, faces))
    return made


def _report_order(model: str) -> Callable[[str], tuple[bool, int, str]]:
    """The model first, then the baselines in their usual order."""
    return lambda name: (
        name != model,
        BASELINE_NAMES.index(name) if name in BASELINE_NAMES else len(BASELINE_NAMES),
        name,
    )
