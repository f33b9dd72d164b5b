"""Which units enter a mean, on which clips, and of which datasets."""

from dataclasses import replace

import numpy as np
import pytest

from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.folds.fold import FoldOutcome
from services.trainer.report.au_scores import describe_unpredicted_units, find_common_units, score_units
from services.trainer.report.csv_tables import render_predictions_csv
from services.trainer.report.html_page import render_model_card, render_page
from services.trainer.report.latex_table import render_latex
from services.trainer.report.summary import summarise_run
from shared.training.annotations import PAPER_UNITS
from shared.training.protocol import ProtocolSettings
from shared.training.settings import TrainSettings
from tests.unit.trainer.report.test_csv_tables import read

UNITS = (1, 4, 12)


def with_labels(features, aus, coded, units=UNITS):
    return replace(
        features, aus=np.array(aus, np.uint8), au_coded=np.array(coded), units=units, target_units=units
    )  # fmt: skip


def fold(features, group, predicted, units=UNITS):
    """A fold that tests the clips of one subject; predicted [n,K], or None for a learner without units."""
    names = [name for name in features.names.tolist() if name.startswith(f"{group}/")]
    emotions = [[1.0, 0.0, 0.0]] * len(names)
    return FoldOutcome(
        group, names, emotions, predicted, [], 0, units=units if predicted is not None else ()
    )  # fmt: skip


def test_a_perfect_detector_has_f1_1_whatever_was_not_coded(toy):
    """278 coded clips with units in a fifth of them, and 164 of a dataset without coding, as in MEGC 2019."""
    small = toy(2, 3)
    truth = np.random.default_rng(0).random((442, 3)) < 0.2
    coded = np.arange(442) < 278
    subjects = np.where(coded, "casme2/s1", "smic/s1")
    features = replace(
        with_labels(small, truth & coded[:, None], coded),
        subjects=subjects,
        names=np.array([f"{subject}/c{row:03}" for row, subject in enumerate(subjects)]),
    )
    outcomes = [
        fold(features, group, truth[subjects == group].astype(float).tolist()) for group in ("casme2/s1", "smic/s1")
    ]
    scores = score_units(features, outcomes, UNITS)
    assert (scores["macro"], scores["clips"]) == (1.0, 278)
    as_absent = replace(features, au_coded=np.ones(442, bool))
    assert score_units(as_absent, outcomes, UNITS)["macro"] == pytest.approx(2 * 278 / (278 + 442), abs=0.03)


def test_means_of_all_learners_are_over_the_units_that_all_predict(toy):
    features = with_labels(toy(2, 3), [[1, 1, 1], [0, 1, 0], [0, 0, 0]] * 2, [True] * 6)
    few = {0: [fold(features, f"toy/s0{k}", [[1.0, 0], [0, 0], [0, 0]], (1, 12)) for k in range(2)]}
    many = {0: [fold(features, f"toy/s0{k}", [[1.0, 1, 0], [0, 1, 0], [0, 0, 0]]) for k in range(2)]}
    none = {0: [fold(features, f"toy/s0{k}", None) for k in range(2)]}
    outcomes = {"fmer": few, "linear": many, "ststnet": none}
    assert find_common_units(features, outcomes) == (1, 12)
    found = {name: score_units(features, runs[0], (1, 12)) for name, runs in outcomes.items()}
    assert found["fmer"]["macro"] == found["linear"]["macro"] == 0.5
    assert found["fmer"]["mean_over"] == found["linear"]["mean_over"] == [1, 12]
    assert found["fmer"]["units"][1] == {"au": 4, "positives": 4, "predicted": None, "f1": None}
    assert found["linear"]["units"][1] == {"au": 4, "positives": 4, "predicted": 4, "f1": 1.0}
    assert (found["ststnet"]["macro"], found["ststnet"]["mean_over"]) == (None, [])
    assert [row["positives"] for row in found["ststnet"]["units"]] == [2, 4, 2]
    assert describe_unpredicted_units(features, outcomes) == [
        "fmer predicts 2 units of its own and not AU4. The mean AU F1 of every learner is over the 2 that all predict."
    ]


def test_a_fold_without_coded_clips_to_train_on_is_out_of_the_figure(toy):
    features = with_labels(toy(2, 2), [[1, 0, 0], [0, 1, 0]] * 2, [True] * 4)
    outcomes = [fold(features, "toy/s00", [[1.0, 0, 0], [0, 1, 0]]), fold(features, "toy/s01", None)]
    scores = score_units(features, outcomes, UNITS)
    assert (scores["clips"], scores["macro"], scores["mean_over"]) == (2, 1.0, [1, 4])


@pytest.fixture
def two_datasets(toy):
    """casme2 with all three units and an error in AU 4, mmew with AU 12 alone, smic-hs without coding."""
    plain = toy(3, 3)
    names = [
        name.replace("toy/s00", "casme2/s00").replace("toy/s01", "mmew/s01").replace("toy/s02", "smic/s02")
        for name in plain.names.tolist()
    ]
    aus = [[1, 1, 1], [0, 1, 0], [0, 0, 0], *[[0, 0, 1]] * 3, *[[0, 0, 0]] * 3]
    features = replace(
        with_labels(plain, aus, [True] * 6 + [False] * 3),
        names=np.array(names),
        subjects=np.array([name.rpartition("/")[0] for name in names]),
    )  # fmt: skip
    model = [
        fold(features, "casme2", [[1.0, 0, 1], [0, 1, 0], [0, 0, 0]]),
        fold(features, "mmew", [[1.0, 0, 1], [0, 0, 1], [0, 0, 0]]),
        fold(features, "smic", [[1.0, 1, 1]] * 3),
    ]
    protocol = ProtocolSettings(name="cd6me", allow_other_counts=True)
    settings = TrainSettings(oracle=False, model="linear")
    return (
        features,
        {"linear": {0: model}},
        summarise_run(EvaluationPlan(features, protocol), settings, {"linear": {0: model}}),
    )


def test_held_out_datasets_have_a_mean_of_their_own(two_datasets):
    """Pooled: AU1 1 of 1 with one false positive 2/3, AU4 1 of 2: 2/3, AU12 3 of 4: 6/7. casme2: 1, 2/3, 1. mmew: AU12
    2 of 3: 4/5; its false AU1 is no unit of the dataset. smic-hs has no figure."""
    features, _, report = two_datasets
    assert report.result.au_f1 == pytest.approx((2 / 3 + 2 / 3 + 6 / 7) / 3)
    assert report.result.au_f1_by_dataset == pytest.approx(((1 + 2 / 3 + 1) / 3 + 4 / 5) / 2)
    assert report.spread["linear"].au_f1_by_dataset.mean == report.result.au_f1_by_dataset
    assert "au_f1_by_dataset" in report.figures
    assert report.per_dataset["linear"]["smic"].aus.macro is None
    figure = f"{report.result.au_f1_by_dataset:.3f}"
    assert figure in render_latex(report)
    assert "AU F1 by dataset" in render_latex(report)
    assert f"| {figure} |" in render_model_card(report)
    assert f"<td>mean of datasets</td><td></td><td>{figure}</td>" in render_page(report, features)


def test_people_held_out_have_no_mean_over_datasets(two):
    report = two()[2]
    assert report.result.au_f1_by_dataset is None
    assert "au_f1_by_dataset" not in report.figures
    assert b"by_dataset" not in report.encode()


def test_a_report_says_on_how_many_coded_clips_its_au_figures_rest(two_datasets):
    features, _, report = two_datasets
    basis = "mean over AU 1, 4, 12; 6 of 9 clips, those coded for action units"
    assert report.au_basis == basis
    assert report.data.au_clips == 6
    assert any(
        sentence
        == "AU figures are of the 6 of 9 clips that were coded for action units. The others (smic 3) train and "
        "test emotions alone."
        for sentence in report.protocol.faults
    )
    for text in (render_latex(report), render_model_card(report), render_page(report, features)):
        assert basis in text
    assert "3 units, 6 of 9 clips" in render_page(report, features)


def test_labels_of_clips_that_were_not_coded_are_blank(two_datasets):
    features, outcomes, _ = two_datasets
    rows = read(render_predictions_csv(features, outcomes))
    assert [row["au12"] for row in rows] == ["1", "0", "0", "1", "1", "1", "", "", ""]
    assert [row["p_au12"] for row in rows][-3:] == ["1.0000"] * 3


def test_units_that_are_coded_and_not_scored_are_named(toy):
    features = with_labels(toy(2, 3), [[1, 1, 1], [0, 1, 0], [0, 0, 0]] * 2, [True] * 6)
    features = replace(features, units=(1, 12))
    outcomes = {"linear": {0: [fold(features, f"toy/s0{k}", [[0.0, 0]] * 3, (1, 12)) for k in range(2)]}}
    report = summarise_run(EvaluationPlan(features), TrainSettings(oracle=False, model="linear"), outcomes)
    assert (report.data.aus, report.data.other_aus) == ({"1": 2, "12": 2}, {"4": 4})
    assert "Coded and not scored: 4 (4)" in render_page(report, features)


def test_a_false_unit_that_does_not_occur_is_shown_and_in_no_mean(toy):
    features = with_labels(toy(2, 3), [[1, 0, 0]] * 6, [True] * 6)
    outcomes = {"linear": {0: [fold(features, f"toy/s0{k}", [[1.0, 1, 0]] * 3) for k in range(2)]}}
    report = summarise_run(EvaluationPlan(features), TrainSettings(oracle=False, model="linear"), outcomes)
    assert report.result.aus.mean_over == (1,)
    assert report.result.au_f1 == 1
    assert "does not occur, predicted 6 times" in render_page(report, features)


def test_fmer_has_the_papers_units_in_a_run_that_scores_others(toy):
    features = replace(toy(2, 3), units=(1, 5, 12), target_units=(*PAPER_UNITS[:3], 5, *PAPER_UNITS[3:]))
    outcomes = {"fmer": {0: [fold(features, f"toy/s0{k}", [[0.0] * 9] * 3, PAPER_UNITS) for k in range(2)]}}
    assert find_common_units(features, outcomes) == (1, 12)
