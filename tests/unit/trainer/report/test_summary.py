"""What a report says."""

import json
from dataclasses import replace

import numpy as np
import pytest

from services.trainer import experiment
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.folds.fold import FoldOutcome
from services.trainer.learners.base import EpochSummary
from services.trainer.report.model import Report
from services.trainer.report.summary import oracle_figures, pooled_figures
from services.trainer.report.writer import REPORT_FILES
from shared.training.annotations import PAPER_UNITS
from shared.training.settings import TrainSettings


@pytest.fixture(scope="module")
def made(toy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    features = replace(toy(3, 3), left_out={"fear": 2})
    return (
        folder,
        features,
        experiment.run_experiment(
            EvaluationPlan(features),
            TrainSettings(epochs=2, seed=5),
            folder,
            report=experiment.ReportOptions(code="1.2+abc"),
        ),
    )


def test_report_says_what_it_was_made_from(made):
    folder, features, said = made
    kept = json.loads((folder / "report.json").read_text())
    assert Report.decode((folder / "report.json").read_bytes(), "report.json") == said
    assert kept["schema"] == "mer.report/2"
    assert "leave-one-subject-out" in kept["protocol"]["title"]
    assert kept["code"] == "1.2+abc"
    assert kept["seed"] == kept["settings"]["seed"] == 5
    assert kept["data"]["digest"] == features.digest
    assert kept["data"]["classes"] == {"disgust": 3, "happiness": 3, "surprise": 3}
    assert kept["data"]["left_out"] == {"fear": 2}
    assert kept["data"]["test_factor"] == 2.0
    assert set(kept["baselines"]) == {"majority", "linear"}
    assert [fold["tested_on"] for fold in kept["folds"]] == [3, 3, 3]
    assert np.array(kept["curves"]["loss"]).shape == (3, 2)
    assert kept["mistakes"]["of"] == 9
    assert kept["mistakes"]["total"] == 9 - np.trace(kept["result"]["confusion"])


def test_a_second_start_writes_the_same_report(made):
    folder, features, _ = made
    before = {name: (folder / name).read_bytes() for name in REPORT_FILES}
    experiment.run_experiment(
        EvaluationPlan(features),
        TrainSettings(epochs=2, seed=5),
        folder,
        report=experiment.ReportOptions(code="1.2+abc"),
    )
    assert {name: (folder / name).read_bytes() for name in before} == before


def outcome(features, subject, watched, predicted):
    names = [name for name in features.names.tolist() if name.startswith(subject)]
    epochs = [EpochSummary(i, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, tuple(w)) for i, w in enumerate(watched)]
    return FoldOutcome(
        subject, names, np.eye(3)[predicted].tolist(), [[0.0] * 9] * len(names), epochs, 0, None, PAPER_UNITS
    )


def test_oracle_takes_each_folds_best_epoch_and_the_result_does_not(toy):
    features = toy(2, 3)  # the truth of both subjects is 0, 1, 2
    outcomes = [
        outcome(features, "toy/s00", [[0, 1, 2], [0, 0, 0]], [0, 0, 0]),
        outcome(features, "toy/s01", [[2, 2, 2], [0, 1, 1]], [0, 1, 1]),
    ]
    found = oracle_figures(features, outcomes, 3)
    assert (found.seed, found.accuracy) == (3, pytest.approx(5 / 6))
    assert pooled_figures(features, outcomes, 0).accuracy == pytest.approx(3 / 6)
    assert oracle_figures(features, [replace(o, epochs=[]) for o in outcomes], 3) is None
