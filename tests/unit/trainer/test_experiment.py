"""A whole run: what its report says of several seeds, of several datasets, and of data that are not as they should."""

import csv
import itertools
from dataclasses import replace

import numpy as np
import pytest

from services.trainer import experiment
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.experiment import ReportOptions
from shared.training.protocol import ProtocolSettings
from shared.training.settings import TrainSettings

SETTINGS = TrainSettings(epochs=2, batch=6, learning_rate=1e-3, seed=5)  # too little for every seed to get all right


@pytest.fixture(scope="module")
def features(toy):
    """Two subjects each of the datasets `toy` and `other`."""
    found = toy(4, 3)
    names = [name.replace("toy/s02", "other/s02").replace("toy/s03", "other/s03") for name in found.names.tolist()]
    return replace(found, names=np.array(names), subjects=np.array([name.rpartition("/")[0] for name in names]))


@pytest.fixture(scope="module")
def made(features, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    evaluation = EvaluationPlan(features, seeds=3)
    options = ReportOptions(faults=["toy/s09/c1: no face."])
    return folder, experiment.run_experiment(evaluation, SETTINGS, folder, report=options)


def test_every_learner_has_figures_of_every_seed_and_their_mean_and_deviation(made):
    _, report = made
    for name in ("fmer-lite", "majority", "linear"):
        rows = report.seeds[name]
        assert [row.seed for row in rows] == [5, 6, 7]
        for figure in report.figures:
            spread = getattr(report.spread[name], figure)
            values = [getattr(row, figure) for row in rows]
            assert spread.mean == pytest.approx(np.mean(values))
            assert spread.sd == pytest.approx(np.std(values, ddof=1))
    assert report.spread["majority"].uf1.sd == 0.0  # it draws nothing
    assert report.spread["fmer-lite"].uf1.sd > 0
    first = report.seeds["fmer-lite"][0]
    assert (first.uf1, first.uar) == (report.result.uf1, report.result.uar)
    assert report.result.interval.uf1[0] <= first.uf1 <= report.result.interval.uf1[1]


def test_the_oracle_is_the_mean_over_seeds_and_never_below_the_result_of_one(made):
    _, report = made
    rows = report.oracle.seeds
    assert [row.seed for row in rows] == [5, 6, 7]
    assert report.oracle.uf1 == pytest.approx(np.mean([row.uf1 for row in rows]))
    for row, result in zip(rows, report.seeds["fmer-lite"], strict=True):
        assert row.accuracy >= result.accuracy - 1 / 12


def test_datasets_have_figures_beside_the_pooled_ones(made):
    _, report = made
    for name in ("fmer-lite", "majority", "linear"):
        per = report.per_dataset[name]
        assert list(per) == ["other", "toy"]
        assert [figures.samples for figures in per.values()] == [6, 6]
    parts = report.per_dataset["fmer-lite"].values()
    assert report.result.accuracy == pytest.approx(np.mean([part.accuracy for part in parts]))


def test_predictions_are_of_every_learner_and_seed_each_clip_once(made, features):
    folder, _ = made
    rows = list(csv.DictReader((folder / "predictions.csv").read_text().splitlines()))
    for learner, seed in itertools.product(("fmer-lite", "majority", "linear"), ("5", "6", "7")):
        mine = [row for row in rows if (row["learner"], row["seed"]) == (learner, seed)]
        assert sorted(row["clip"] for row in mine) == sorted(features.names.tolist())
        assert all(row["held_out"] == row["subject"] for row in mine)
    assert len(rows) == 3 * 36


def test_clips_without_features_are_named(made):
    assert made[1].data.faults == ("toy/s09/c1: no face.",)


def test_the_first_of_several_seeds_is_the_run_of_that_seed_alone(made, features, tmp_path):
    alone = experiment.run_experiment(EvaluationPlan(features), SETTINGS.model_copy(update={"seed": 6}), tmp_path)
    assert alone.seeds["fmer-lite"][0] == made[1].seeds["fmer-lite"][1]


@pytest.mark.parametrize(
    ("protocol", "held_out", "tested"),
    [
        (ProtocolSettings(name="k-fold", folds=2), ["fold-1", "fold-2"], 12),
        (ProtocolSettings(name="split", test_subjects=("s00", "other/s02")), ["test"], 6),
        (ProtocolSettings(name="cd6me", datasets={"toy": "casme2", "other": "samm"}), ["casme2", "samm"], 12),
    ],
)
def test_folds_are_those_of_the_protocol(features, tmp_path, protocol, held_out, tested):
    report = experiment.run_experiment(EvaluationPlan(features, protocol), TrainSettings(model="linear"), tmp_path)
    assert [fold.held_out for fold in report.folds] == held_out
    assert np.sum(report.result.confusion) == tested
    assert report.protocol.name == protocol.name
    assert report.protocol.hold_out == protocol.hold_out


def test_a_class_of_one_subject_is_trained_all_the_same_and_said(features, tmp_path):
    emotions = np.where(features.emotions == 2, 0, features.emotions)
    emotions[0] = 2
    report = experiment.run_experiment(
        EvaluationPlan(replace(features, emotions=emotions)), TrainSettings(model="linear"), tmp_path
    )
    (fault,) = report.protocol.faults
    assert fault.startswith("Class surprise: all of its clips are of toy/s00")
    assert sum(report.protocol.counts.values()) == 12
