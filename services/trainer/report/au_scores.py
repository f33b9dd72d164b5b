"""The action units of a report: which enter the means, on which clips the figures rest, and the scores themselves."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from services.trainer.data.features import Features
from services.trainer.evaluation.metrics import mean_unit_f1, score_action_units
from services.trainer.folds.fold import FoldOutcome, OutcomesByLearner
from shared.training.annotations import AU_THRESHOLD


def find_common_units(features: Features, outcomes: OutcomesByLearner) -> tuple[int, ...]:
    """The scored units that every learner predicts, if it predicts units at all: means of all learners are over these,
    as far as they occur in the clips."""
    predicted = [set(units) for units in _units_by_learner(outcomes).values() if units]
    return tuple(unit for unit in features.units if all(unit in each for each in predicted))


def describe_unpredicted_units(features: Features, outcomes: OutcomesByLearner) -> list[str]:
    """A sentence for each learner that predicts other units than are scored."""
    targets = dict(zip(features.units, features.au_targets(features.units).any(0).tolist(), strict=True))
    sentences = []
    for name, units in _units_by_learner(outcomes).items():
        lacking = [f"AU{unit}" for unit in features.units if units and targets[unit] and unit not in units]
        if lacking:
            sentences.append(
                f"{name} predicts {len(units)} units of its own and not {', '.join(lacking)}. The mean AU F1 of every "
                f"learner is over the {sum(targets[unit] for unit in features.units) - len(lacking)} that all predict."
            )
    return sentences


def score_units(
    features: Features,
    outcomes: Sequence[FoldOutcome],
    common_units: Collection[int],
    by_dataset: bool = False,
    dataset: str | None = None,
) -> dict[str, Any]:
    """The fields of `UnitScores` of one learner and seed, on all clips or on those of one dataset.

    Only clips that were coded count, and only folds with a coded clip to train on. A learner that predicts no units
    has the counts of clips alone. by_dataset: whether each fold tests one dataset, whose mean is then averaged.
    """
    predicting = [each for each in outcomes if each.aus is not None]
    parts = [_score_fold_units(features, [each], dataset) for each in predicting] if by_dataset else []
    units = _score_fold_units(features, predicting or outcomes, dataset)
    known = [macro for part in parts if (macro := mean_unit_f1(part["units"], common_units)) is not None]
    return {
        **units,
        "macro": mean_unit_f1(units["units"], common_units),
        "mean_over": [row["au"] for row in units["units"] if row["au"] in common_units and row["f1"] is not None],
        "by_dataset": sum(known) / len(known) if known else None,
    }


def _score_fold_units(features: Features, outcomes: Sequence[FoldOutcome], dataset: str | None) -> dict[str, Any]:
    """Rows per scored unit, and the number of coded clips, of folds that all predict the same units or none."""
    rows = np.array(features.find_rows(name for each in outcomes for name in each.names), int)
    used = features.au_coded[rows]
    if dataset is not None:
        used &= features.dataset_names[rows] == dataset
    true = features.au_targets(features.units)[rows[used]]
    predicted = outcomes[0].units
    found: dict[int, Mapping[str, Any]] = {
        unit: {"au": unit, "positives": positives, "predicted": None, "f1": None}
        for unit, positives in zip(features.units, true.sum(0).tolist(), strict=True)
    }
    if predicted:
        chances = np.array([row for each in outcomes for row in each.aus or []])[used]
        scored = [unit for unit in features.units if unit in predicted]
        columns = [predicted.index(unit) for unit in scored]
        scores = score_action_units(
            features.au_targets(scored)[rows[used]], chances[:, columns] >= AU_THRESHOLD, scored
        )
        found |= {row["au"]: row for row in scores["units"]}
    return {"units": list(found.values()), "clips": int(used.sum())}


def _units_by_learner(outcomes: OutcomesByLearner) -> dict[str, tuple[int, ...]]:
    """The units that each learner predicts in its folds with a coded clip to train on; () for none."""
    return {
        name: next((each.units for folds in by_seed.values() for each in folds if each.units), ())
        for name, by_seed in outcomes.items()
    }
