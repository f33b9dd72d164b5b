"""What was predicted, as CSV: clip by clip, and subject by subject."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from services.trainer.data.annotations import AUS
from services.trainer.data.features import Features
from services.trainer.folds.fold import FoldOutcome, OutcomesByLearner

CLIP_COLUMNS = ("learner", "seed", "held_out", "clip", "subject", "dataset", "emotion", "predicted")


def render_predictions_csv(features: Features, outcomes: OutcomesByLearner) -> str:
    """One row per learner, seed and clip: labels, prediction, probabilities; blank where a learner says nothing of
    action units. `clip` and `subject` begin with their dataset."""
    scores = [f"p_{name}" for name in features.classes]
    aus = [column for au in AUS for column in (f"au{au}", f"p_au{au}")]
    lines = (
        [learner, seed, each.held_out, *line]
        for learner, runs in outcomes.items()
        for seed, folds in runs.items()
        for each in folds
        for line in _prediction_rows(features, each)
    )
    return _csv_text([*CLIP_COLUMNS, *scores, *aus], lines)


def render_subjects_csv(report: Mapping[str, Any]) -> str:
    """One row per learner and subject, of the run's own seed."""
    learners = {report["model"]: report["result"], **report["baselines"]}
    lines = (
        [learner, report["seed"], row["subject"], row["samples"], f"{row['accuracy']:.4f}"]
        for learner, result in learners.items()
        for row in result["per_subject"]
    )
    return _csv_text(["learner", "seed", "subject", "clips", "accuracy"], lines)


def _prediction_rows(features: Features, outcome: FoldOutcome) -> Iterator[list[Any]]:
    where, units = features.find_rows(outcome.names), outcome.aus or [[]] * len(outcome.names)
    for row, pred, chances, found in zip(where, outcome.predicted_classes, outcome.emotions, units, strict=True):
        chances_of_units = [f"{chance:.4f}" for chance in found] if found else [""] * len(AUS)
        coded = [cell for pair in zip(features.aus[row], chances_of_units, strict=True) for cell in pair]
        labels = [features.classes[features.emotions[row]], features.classes[pred]]
        subject = str(features.subjects[row])
        about = [features.names[row], subject, subject.partition("/")[0]]
        yield [*about, *labels, *(f"{chance:.4f}" for chance in chances), *coded]


def _csv_text(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(header)
    table.writerows(lines)
    return text.getvalue()
