"""The model against every other learner of the same report: paired differences of their figures."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.features import Features
from services.trainer.evaluation.paired_bootstrap import Difference, compare_action_units, compare_emotions
from services.trainer.folds.fold import FoldOutcome, OutcomesByLearner
from services.trainer.report.model import LearnerComparison, PairedDifference


def compare_with_others(
    features: Features, outcomes: OutcomesByLearner, model: str, seed: int, au_threshold: float
) -> dict[str, LearnerComparison]:
    """The model less each other learner, by name of the other. `seed` is that of the bootstrap."""
    return {
        name: compare_learners(features, outcomes[model], other, seed, au_threshold)
        for name, other in outcomes.items()
        if name != model
    }


def compare_learners(
    features: Features,
    first: Mapping[int, Sequence[FoldOutcome]],
    second: Mapping[int, Sequence[FoldOutcome]],
    seed: int = 0,
    au_threshold: float = 0.5,
) -> LearnerComparison:
    """The first learner less the second, each with the folds of its seeds, on the clips that all of them tested."""
    tested = sorted(set.intersection(*(_tested_clips(folds) for runs in (first, second) for folds in runs.values())))
    rows = np.array(features.find_rows(tested))
    emotions = [np.array([_predicted_classes(folds, tested) for folds in runs.values()]) for runs in (first, second)]
    found = compare_emotions(features.emotions[rows], *emotions, features.subjects[rows], seed=seed)
    units = [_predicted_units(runs, tested, au_threshold) for runs in (first, second)]
    aus = None
    if units[0] is not None and units[1] is not None:
        aus = compare_action_units(features.aus[rows], *units, features.subjects[rows], seed=seed)
    return LearnerComparison(**{name: _as_part(each) for name, each in found.items()}, au_f1=_as_part(aus))


def _tested_clips(folds: Sequence[FoldOutcome]) -> set[str]:
    return {name for fold in folds for name in fold.names}


def _predicted_classes(folds: Sequence[FoldOutcome], clips: Sequence[str]) -> list[int]:
    found = {name: label for fold in folds for name, label in zip(fold.names, fold.predicted_classes, strict=True)}
    return [found[clip] for clip in clips]


def _predicted_units(
    runs: Mapping[int, Sequence[FoldOutcome]], clips: Sequence[str], threshold: float
) -> NDArray[np.bool_] | None:
    """[R,N,U] of R seeds; None from a learner that predicts no action units."""
    if any(fold.aus is None for folds in runs.values() for fold in folds):
        return None
    found = [
        {name: row for fold in folds for name, row in zip(fold.names, fold.aus or [], strict=True)}
        for folds in runs.values()
    ]
    return np.array([[each[clip] for clip in clips] for each in found]) >= threshold


def _as_part(found: Difference | None) -> PairedDifference | None:
    return None if found is None else PairedDifference(**found._asdict())
