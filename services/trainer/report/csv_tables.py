"""Predictions as CSV: a row per clip, and a row per subject."""

from collections.abc import Iterator
from typing import Any

from services.trainer.data.features import Features
from services.trainer.folds.fold import FoldOutcome, OutcomesByLearner
from services.trainer.report.model import Report
from shared.tables.csv_writing import format_csv

CLIP_COLUMNS = ("learner", "seed", "held_out", "clip", "subject", "dataset", "emotion", "predicted")


def render_predictions_csv(features: Features, outcomes: OutcomesByLearner) -> str:
    """One row per learner, seed and clip: labels, prediction, probabilities. `clip` and `subject` begin with their
    dataset. Action units are blank for a clip that was not coded for them, and their probabilities for a learner that
    does not predict them."""
    probability_columns = [f"p_{name}" for name in features.classes]
    unit_columns = [column for au in features.units for column in (f"au{au}", f"p_au{au}")]
    lines = (
        [learner, seed, each.held_out, *line]
        for learner, runs in outcomes.items()
        for seed, folds in runs.items()
        for each in folds
        for line in _prediction_rows(features, each)
    )
    return format_csv([*CLIP_COLUMNS, *probability_columns, *unit_columns], lines)


def render_subjects_csv(report: Report) -> str:
    """One row per learner and subject, of the run's own seed."""
    lines = (
        [learner, report.seed, row.subject, row.samples, f"{row.accuracy:.4f}"]
        for learner, result in report.learners.items()
        for row in result.per_subject
    )
    return format_csv(["learner", "seed", "subject", "clips", "accuracy"], lines)


def _prediction_rows(features: Features, outcome: FoldOutcome) -> Iterator[list[Any]]:
    """A row per clip, without learner, seed and fold."""
    rows, units = features.find_rows(outcome.names), outcome.aus or [[]] * len(outcome.names)
    targets = features.au_targets(features.units)
    for row, label, chances, unit_chances in zip(rows, outcome.predicted_classes, outcome.emotions, units, strict=True):
        predicted = dict(zip(outcome.units, unit_chances, strict=True))
        unit_cells = [f"{predicted[unit]:.4f}" if unit in predicted else "" for unit in features.units]
        coded_cells = targets[row].tolist() if features.au_coded[row] else [""] * len(features.units)
        coded_and_predicted = [cell for pair in zip(coded_cells, unit_cells, strict=True) for cell in pair]
        subject = str(features.subjects[row])
        yield [
            features.names[row],
            subject,
            subject.partition("/")[0],
            features.classes[features.emotions[row]],
            features.classes[label],
            *(f"{chance:.4f}" for chance in chances),
            *coded_and_predicted,
        ]
