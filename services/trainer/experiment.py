"""A model and its baselines on the same folds, and the report on them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.folds.cross_validation import SINGLE_PROCESS, FoldPool, run_folds
from services.trainer.folds.fold import FoldOutcome, OutcomesByLearner
from services.trainer.learners.registry import BASELINES, trainable_learners
from services.trainer.report.model import Report
from services.trainer.report.summary import summarise_run
from services.trainer.report.writer import render_files, write_files
from shared.store import LocalStore, Store
from shared.training.learners import REPORTED_BASELINES, expand_learners
from shared.training.settings import TrainSettings


@dataclass(frozen=True)
class ReportOptions:
    """What a report says beside the figures.

    code: version of the code, default the installed one. faults: one sentence per clip without features. faces: whether
    the report shows frames of misclassified clips.
    """

    code: str = ""
    faults: Sequence[str] = ()
    faces: bool = False


PLAIN_REPORT = ReportOptions()


def run_experiment(
    evaluation: EvaluationPlan,
    settings: TrainSettings,
    folder: Path,
    pool: FoldPool = SINGLE_PROCESS,
    report: ReportOptions = PLAIN_REPORT,
    baselines: Sequence[str] = REPORTED_BASELINES,
) -> Report:
    """Train, test, score and write the report's files to `folder`; returns the report.

    A second call with the same features and settings trains only the folds that are missing. Baselines that need other
    arrays than the features hold are left out. Raises TrainingStopped, and BadData as `EvaluationPlan.folds` does.
    """
    outcomes: dict[str, dict[int, Sequence[FoldOutcome]]] = {}
    trainable = trainable_learners(evaluation.features.array_names)
    baselines = [name for name in baselines if name in trainable]
    for each in reversed(expand_learners(settings, evaluation.seeds, baselines)):  # baselines first: they are fast
        own_pool = pool if each.model == settings.model else replace(pool, jobs=1, device="cpu")
        found = run_folds(evaluation.features, each, evaluation.folds, folder, own_pool)
        outcomes.setdefault(each.model, {})[each.seed] = found
    return write_report(LocalStore(folder), "", evaluation, settings, outcomes, report)


def write_report(
    store: Store,
    prefix: str,
    evaluation: EvaluationPlan,
    settings: TrainSettings,
    outcomes: OutcomesByLearner,
    report: ReportOptions = PLAIN_REPORT,
) -> Report:
    """Score the outcomes, write the report under `prefix`, return it. Equal outcomes give equal bytes."""
    ordered = {
        model: dict(sorted(outcomes[model].items())) for model in sorted(outcomes, key=_report_order(settings.model))
    }
    summary = summarise_run(evaluation, settings, ordered, report.code, report.faults)
    write_files(store, prefix, render_files(evaluation.features, ordered, summary, report.faces))
    return summary


def _report_order(model: str) -> Callable[[str], tuple[bool, int, str]]:
    """Sorts the model first, then the baselines in the order of BASELINES."""
    ranks = {name: rank for rank, name in enumerate(BASELINES)}
    return lambda name: (name != model, ranks.get(name, len(ranks)), name)
