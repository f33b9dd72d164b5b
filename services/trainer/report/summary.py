"""Outcomes of all folds in, a `Report` out: pooled figures of the model, its baselines and the oracle."""

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from services.trainer.data.features import Features
from services.trainer.evaluation.metrics import score_emotions
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.folds.fold import FoldOutcome, OutcomesByLearner
from services.trainer.report import seed_statistics
from services.trainer.report.au_scores import describe_unpredicted_units, find_common_units, score_units
from services.trainer.report.misclassified import misclassified_clips
from services.trainer.report.model import (
    EMOTION_FIGURES,
    DataSummary,
    EpochSeries,
    FoldSummary,
    OracleSeedFigures,
    PooledFigures,
    ProtocolSummary,
    Report,
)
from services.trainer.report.paired_differences import compare_with_others
from shared.provenance import package_version
from shared.training.settings import TrainSettings

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
) -> Report:
    """The report of a run. `outcomes` holds the model and other learners on the same folds.

    `code` is the version of the code, by default the installed one. `faults` has a sentence per clip without features.
    """
    features, seed = evaluation.features, settings.seed
    common_units = find_common_units(features, outcomes)
    by_dataset = evaluation.protocol.hold_out == "dataset"
    pooled = {
        name: {each: pooled_figures(features, folds, each, common_units, by_dataset) for each, folds in by_seed.items()}
        for name, by_seed in outcomes.items()
    }
    model = outcomes[settings.model]
    protocol = ProtocolSummary.model_validate(evaluation.report_fields)
    unpredicted = describe_unpredicted_units(features, outcomes)
    return Report(
        protocol=protocol.model_copy(update={"faults": (*protocol.faults, *unpredicted)}),
        model=settings.model,
        seed=seed,
        settings=settings.model_dump(mode="json"),
        code=code or package_version("merstream"),
        data=summarise_data(evaluation, settings.test_factor, faults),
        result=pooled[settings.model][seed],
        baselines={name: found[seed] for name, found in pooled.items() if name != settings.model},
        seeds={name: seed_statistics.rows_by_seed(found) for name, found in pooled.items()},
        spread={name: seed_statistics.mean_and_spread(found) for name, found in pooled.items()},
        comparisons=compare_with_others(features, outcomes, settings.model, seed),
        per_dataset=figures_per_dataset(features, outcomes, seed, common_units),
        oracle=seed_statistics.average_oracle(
            ORACLE_MEANING, [oracle_figures(features, folds, each) for each, folds in model.items()]
        ),
        curves=epoch_series(model[seed]),
        mistakes=misclassified_clips(features, model[seed]),
        folds=tuple(summarise_fold(each) for each in model[seed]),
    )


def summarise_data(evaluation: EvaluationPlan, test_factor: float, faults: Sequence[str]) -> DataSummary:
    """What the run was trained on. `test_factor` becomes the nearest factor that the features have."""
    features = evaluation.features
    shown = dict(zip(features.target_units, features.aus.sum(0).tolist(), strict=True))
    counts = np.bincount(features.emotions, minlength=len(features.classes)).tolist()
    return DataSummary(
        digest=features.digest,
        samples=len(features),
        subjects=len(set(features.subjects.tolist())),
        datasets=tuple(sorted(set(features.dataset_names.tolist()))),
        classes=dict(zip(features.classes, counts, strict=True)),
        left_out=dict(features.left_out),
        faults=tuple(faults),
        factors=tuple(features.factors.tolist()),
        test_factor=float(features.factors[features.factor_index(test_factor)]),
        aus={str(unit): shown[unit] for unit in features.units},
        au_clips=int(features.au_coded.sum()),
        other_aus={str(unit): count for unit, count in shown.items() if count and unit not in features.units},
        apexes=dict(evaluation.apexes),
    )


def summarise_fold(outcome: FoldOutcome) -> FoldSummary:
    """The sizes of a fold, without its predictions."""
    return FoldSummary(
        held_out=outcome.held_out,
        trained_on=outcome.trained_on,
        tested_on=len(outcome.names),
        kept_epoch=outcome.kept_epoch,
    )


def pooled_figures(
    features: Features,
    outcomes: Sequence[FoldOutcome],
    seed: int,
    common_units: Collection[int] | None = None,
    by_dataset: bool = False,
    dataset: str | None = None,
) -> PooledFigures:
    """The scores of the pooled predictions, of all clips or of one dataset's clips. `seed` is that of the bootstrap.

    common_units: the action units that enter the mean, default all that are scored. by_dataset: whether each fold tests
    one dataset.
    """
    rows = np.array(_outcome_rows(features, outcomes))
    predicted = np.array([label for each in outcomes for label in each.predicted_classes])
    selected = features.dataset_names[rows] == dataset if dataset is not None else np.ones(len(rows), bool)
    rows = rows[selected]
    scores = score_emotions(
        _class_names(features, features.emotions[rows]),
        _class_names(features, predicted[selected]),
        features.subjects[rows],
        seed=seed,
    )
    mean_over = features.units if common_units is None else common_units
    units = score_units(features, outcomes, mean_over, by_dataset, dataset)
    return PooledFigures.model_validate({**scores, "aus": units})


def figures_per_dataset(
    features: Features, outcomes: OutcomesByLearner, seed: int, common_units: Collection[int]
) -> dict[str, dict[str, PooledFigures]]:
    """The figures of each dataset's clips, by learner and dataset. Empty if there is only one dataset."""
    names = sorted(set(features.dataset_names.tolist()))
    if len(names) < 2:
        return {}
    tested = {name: set(features.dataset_names[_outcome_rows(features, runs[seed])]) for name, runs in outcomes.items()}
    return {
        name: {
            each: pooled_figures(features, runs[seed], seed, common_units, dataset=each)
            for each in names
            if each in tested[name]
        }
        for name, runs in outcomes.items()
    }


def oracle_figures(features: Features, outcomes: Sequence[FoldOutcome], seed: int) -> OracleSeedFigures | None:
    """The figures of one seed if each fold's epoch were chosen on its test clips. None if no epoch was tested."""
    if not all(each.epochs and each.epochs[0].watched for each in outcomes):
        return None
    rows = _outcome_rows(features, outcomes)
    predicted = [label for each in outcomes for label in _best_epoch_predictions(features, each)]
    scores = score_emotions(features.emotions[rows], predicted, features.subjects[rows], resamples=1)
    return OracleSeedFigures(seed=seed, **{name: scores[name] for name in EMOTION_FIGURES})


def epoch_series(outcomes: Sequence[FoldOutcome]) -> EpochSeries:
    """The course of the training of each fold."""
    return EpochSeries.model_validate(
        {
            name: [[getattr(epoch, name) for epoch in each.epochs] for each in outcomes]
            for name in EpochSeries.model_fields
        }
    )


def _outcome_rows(features: Features, outcomes: Sequence[FoldOutcome]) -> list[int]:
    """The rows of the outcomes' clips, in the outcomes' order."""
    return features.find_rows(name for each in outcomes for name in each.names)


def _best_epoch_predictions(features: Features, outcome: FoldOutcome) -> tuple[int, ...]:
    """The predictions of the epoch with the best UF1 on the fold's test clips; of equals the first."""
    true = features.emotions[features.find_rows(outcome.names)]
    return max(
        (epoch.watched for epoch in outcome.epochs),
        key=lambda predicted: score_emotions(true, predicted, true, resamples=1)["uf1"],
    )


def _class_names(features: Features, indices: Iterable[int]) -> list[str]:
    return [features.classes[index] for index in indices]
