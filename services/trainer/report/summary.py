"""Everything that a report says, as plain values: pooled figures beside baselines and oracle."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from services.trainer.data.annotations import AUS
from services.trainer.data.features import Features
from services.trainer.evaluation.metrics import empty_action_unit_scores, score_action_units, score_emotions
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.folds.fold import FoldOutcome, OutcomesByLearner
from services.trainer.report import seed_statistics
from services.trainer.report.misclassified import misclassified_clips
from services.trainer.runs.manifest import package_version
from services.trainer.settings import TrainSettings

REPORT_SCHEMA = "mer.report/2"
AU_THRESHOLD = 0.5  # an AU counts as predicted from this probability on
ORACLE_MEANING = (
    "per fold, the epoch whose predictions score best on the very clips under test, mean over seeds; what peeking "
    "would have given, never the result"
)


def summarise_run(
    evaluation: EvaluationPlan,
    settings: TrainSettings,
    outcomes: OutcomesByLearner,
    code: str = "",
    faults: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything the report says, as plain values. `outcomes`: of the model and of other learners on the same folds.
    `code`: version of the code, default the installed one. `faults`: a sentence per clip without features.

    `result` and `baselines` are of the run's own seed; `seeds` and `spread` of all.
    """
    features, seed = evaluation.features, settings.seed
    counts = np.bincount(features.emotions, minlength=len(features.classes)).tolist()
    scored = {
        name: {each: pooled_figures(features, runs[each], each) for each in runs} for name, runs in outcomes.items()
    }
    model = outcomes[settings.model]
    return {
        "schema": REPORT_SCHEMA,
        "protocol": evaluation.report_fields,
        "model": settings.model,
        "seed": seed,
        "settings": settings.model_dump(mode="json"),
        "code": code or package_version("merstream") or "not installed",
        "data": {
            "digest": features.digest,
            "samples": len(features),
            "subjects": len(set(features.subjects.tolist())),
            "datasets": sorted(set(features.dataset_names.tolist())),
            "classes": dict(zip(features.classes, counts, strict=True)),
            "left_out": features.left_out,
            "faults": list(faults),
            "factors": features.factors.tolist(),
            "test_factor": float(features.factors[features.factor_index(settings.test_factor)]),
            "aus": dict(zip(map(str, AUS), features.aus.sum(0).tolist(), strict=True)),
        },
        "result": scored[settings.model][seed],
        "baselines": {name: found[seed] for name, found in scored.items() if name != settings.model},
        "seeds": {name: seed_statistics.rows_by_seed(found) for name, found in scored.items()},
        "spread": {name: seed_statistics.mean_and_spread(found) for name, found in scored.items()},
        "per_dataset": figures_per_dataset(features, outcomes, seed),
        "oracle": seed_statistics.average_oracle(
            ORACLE_MEANING, {each: oracle_figures(features, model[each]) for each in model}
        ),
        "curves": epoch_series(model[seed]),
        "mistakes": misclassified_clips(features, model[seed]),
        "folds": [
            {
                "held_out": each.held_out,
                "trained_on": each.trained_on,
                "tested_on": len(each.names),
                "kept_epoch": each.kept_epoch,
            }
            for each in model[seed]
        ],
    }


def pooled_figures(
    features: Features, outcomes: Sequence[FoldOutcome], seed: int, dataset: str | None = None
) -> dict[str, Any]:
    """Scores of the pooled predictions, `aus` among them; of one dataset's clips alone, if it is named."""
    where = np.array(_outcome_rows(features, outcomes))
    pred = np.array([p for each in outcomes for p in each.predicted_classes])
    mine = features.dataset_names[where] == dataset if dataset is not None else np.ones(len(where), bool)
    where = where[mine]
    true, predicted = _class_names(features, features.emotions[where]), _class_names(features, pred[mine])
    figures_ = score_emotions(true, predicted, features.subjects[where], seed=seed)
    if any(each.aus is None for each in outcomes):
        return figures_ | {"aus": empty_action_unit_scores(features.aus[where].sum(0).tolist(), AUS)}
    aus = np.array([row for each in outcomes for row in each.aus or []])[mine]
    return figures_ | {"aus": score_action_units(features.aus[where], aus >= AU_THRESHOLD, AUS)}


def figures_per_dataset(features: Features, outcomes: OutcomesByLearner, seed: int) -> dict[str, Any]:
    """Beside the pooled figures those of each dataset's clips, by learner; none where there is only one."""
    names = sorted(set(features.dataset_names.tolist()))
    if len(names) < 2:
        return {}
    tested = {name: set(features.dataset_names[_outcome_rows(features, runs[seed])]) for name, runs in outcomes.items()}
    return {
        name: {each: pooled_figures(features, runs[seed], seed, each) for each in names if each in tested[name]}
        for name, runs in outcomes.items()
    }


def oracle_figures(features: Features, outcomes: Sequence[FoldOutcome]) -> dict[str, float] | None:
    """The figure that choosing epochs on the clips under test would have given; None where epochs were not watched."""
    if not all(each.epochs and each.epochs[0].watched for each in outcomes):
        return None
    where = _outcome_rows(features, outcomes)
    predicted: list[int] = []
    for each in outcomes:
        true = features.emotions[features.find_rows(each.names)]
        tries = [epoch.watched for epoch in each.epochs]
        best: tuple[int, ...] = max(tries, key=lambda pred: score_emotions(true, pred, true, resamples=1)["uf1"])
        predicted += best
    found = score_emotions(features.emotions[where], predicted, features.subjects[where], resamples=1)
    return {name: found[name] for name in ("uf1", "uar", "accuracy")}


def epoch_series(outcomes: Sequence[FoldOutcome]) -> dict[str, list[list[float]]]:
    """Per figure one row per fold, one column per epoch; train mode, on the training part."""
    names = ("loss", "emotion_loss", "au_loss", "uf1", "rate")
    return {name: [[getattr(epoch, name) for epoch in each.epochs] for each in outcomes] for name in names}


def _outcome_rows(features: Features, outcomes: Sequence[FoldOutcome]) -> list[int]:
    return features.find_rows(name for each in outcomes for name in each.names)


def _class_names(features: Features, indices: Any) -> list[str]:
    return [features.classes[index] for index in indices]
