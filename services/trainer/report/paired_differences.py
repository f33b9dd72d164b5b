"""The model against every other learner of the same report: paired differences of their figures."""

from collections.abc import Mapping, Sequence

import numpy as np

from services.trainer.data.features import Features
from services.trainer.folds.fold import FoldOutcome, OutcomesByLearner
from services.trainer.report.au_scores import find_common_units
from services.trainer.report.model import LearnerComparison, PairedDifference
from shared.training.annotations import AU_THRESHOLD
from shared.training.paired_bootstrap import Difference, compare_action_units, compare_emotions


def compare_with_others(
    features: Features, outcomes: OutcomesByLearner, model: str, seed: int
) -> dict[str, LearnerComparison]:
    """The model less each other learner, by name of the other. `seed` is that of the bootstrap."""
    return {
        name: compare_learners(features, outcomes[model], other, seed)
        for name, other in outcomes.items()
        if name != model
    }


def compare_learners(
    features: Features,
    first: Mapping[int, Sequence[FoldOutcome]],
    second: Mapping[int, Sequence[FoldOutcome]],
    seed: int = 0,
) -> LearnerComparison:
    """The first learner less the second, each with the folds of its seeds, on the clips that all of them tested."""
    tested = sorted(set.intersection(*(_tested_clips(folds) for runs in (first, second) for folds in runs.values())))
    rows = np.array(features.find_rows(tested))
    emotions = [np.array([_predicted_classes(folds, tested) for folds in runs.values()]) for runs in (first, second)]
    found = compare_emotions(features.emotions[rows], *emotions, features.subjects[rows], seed=seed)
    aus = _compare_units(features, first, second, seed)
    return LearnerComparison(**{name: _as_part(each) for name, each in found.items()}, au_f1=_as_part(aus))


def _tested_clips(folds: Sequence[FoldOutcome]) -> set[str]:
    return {name for fold in folds for name in fold.names}


def _predicted_classes(folds: Sequence[FoldOutcome], clips: Sequence[str]) -> list[int]:
    found = {name: label for fold in folds for name, label in zip(fold.names, fold.predicted_classes, strict=True)}
    return [found[clip] for clip in clips]


def _compare_units(
    features: Features,
    first: Mapping[int, Sequence[FoldOutcome]],
    second: Mapping[int, Sequence[FoldOutcome]],
    seed: int,
) -> Difference | None:
    """On the units that both predict, and the coded clips for which both predict units; None if there are none."""
    common = find_common_units(features, {"first": first, "second": second})
    chances = [[_unit_chances(folds, common) for folds in runs.values()] for runs in (first, second)]
    clips = sorted(set.intersection(*(set(each) for runs in chances for each in runs)))
    rows = np.array(features.find_rows(clips), int)
    coded = features.au_coded[rows]
    if not common or not coded.any():
        return None
    predicted = [
        np.array([[each[clip] for clip in clips] for each in runs])[:, coded] >= AU_THRESHOLD for runs in chances
    ]
    true = features.au_targets(common)[rows[coded]]
    return compare_action_units(true, *predicted, features.subjects[rows[coded]], seed=seed)


def _unit_chances(folds: Sequence[FoldOutcome], units: Sequence[int]) -> dict[str, list[float]]:
    """By clip the probability of each of the units; without the clips of folds that predict none."""
    found = {}
    for fold in folds:
        columns = [fold.units.index(unit) for unit in units] if fold.aus is not None else []
        for name, row in zip(fold.names, fold.aus or (), strict=fold.aus is not None):
            found[name] = [row[column] for column in columns]
    return found


def _as_part(found: Difference | None) -> PairedDifference | None:
    return None if found is None else PairedDifference(**found._asdict())
