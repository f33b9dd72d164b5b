import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from services.trainer.evaluation.metrics import score_action_units, score_emotions

labels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=40)


def test_a_case_counted_by_hand():
    # a: 2 right of 3, one b taken for a -> F1 = 4/6; b: 1 of 2, one a taken for b -> F1 = 2/4; c: 1 of 1 -> F1 = 1
    figures = score_emotions(list("aaabbc"), list("aabbac"), ["s1", "s1", "s2", "s2", "s1", "s2"])
    assert figures["confusion"] == [[2, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert figures["uf1"] == pytest.approx((4 / 6 + 2 / 4 + 1) / 3)
    assert figures["uar"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert figures["accuracy"] == pytest.approx(4 / 6)
    assert figures["per_subject"] == [
        {"subject": "s1", "samples": 3, "accuracy": pytest.approx(2 / 3)},
        {"subject": "s2", "samples": 3, "accuracy": pytest.approx(2 / 3)},
    ]


@settings(max_examples=60)
@given(labels)
def test_figures_are_those_of_scikit_learn(rows):
    true, pred, subjects = (np.array(column) for column in zip(*rows, strict=True))
    figures = score_emotions(true, pred, subjects, resamples=10)
    assert figures["uf1"] == pytest.approx(metrics.f1_score(true, pred, average="macro", zero_division=0))
    assert figures["uar"] == pytest.approx(metrics.recall_score(true, pred, average="macro", zero_division=0))
    assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(true, pred))
    confusion = metrics.confusion_matrix(true, pred, labels=range(5))[np.ix_(figures["classes"], figures["classes"])]
    assert figures["confusion"] == confusion.tolist()
    precision = metrics.precision_score(true, pred, labels=figures["classes"], average=None, zero_division=0)
    assert [row["precision"] for row in figures["per_class"]] == pytest.approx(precision.tolist())


def test_a_class_only_ever_predicted_counts_as_zero():
    assert score_emotions([0, 0], [0, 1], [0, 1])["uf1"] == pytest.approx((2 / 3 + 0) / 2)


def test_interval_brackets_the_figure_is_seeded_and_knows_subjects():
    rng = np.random.default_rng(1)
    true, subjects = rng.integers(0, 3, 300), np.repeat(np.arange(10), 30)
    pred = np.where(rng.random(300) < 0.7, true, (true + 1) % 3)
    figures = score_emotions(true, pred, subjects, seed=3)
    low, high = figures["interval"]["uf1"]
    assert low < figures["uf1"] < high
    assert figures["interval"] == score_emotions(true, pred, subjects, seed=3)["interval"]
    assert figures["interval"] != score_emotions(true, pred, subjects, seed=4)["interval"]
    # the same predictions, but every mistake is made on the same three people: far less certain
    order = np.argsort(true == pred, kind="stable")
    clustered = score_emotions(true[order], pred[order], subjects)["interval"]["accuracy"]
    assert clustered[1] - clustered[0] > 3 * (figures["interval"]["accuracy"][1] - figures["interval"]["accuracy"][0])


def test_interval_is_that_of_redrawing_subjects_and_scoring_again():
    true, pred, subjects = [0, 1, 0, 1, 1, 0], [0, 1, 1, 1, 0, 0], [0, 0, 1, 1, 2, 2]
    draws = np.random.default_rng(5).multinomial(3, np.full(3, 1 / 3), 50)
    again = []
    for draw in draws:
        rows = [
            i for subject, times in enumerate(draw) for _ in range(times) for i in range(6) if subjects[i] == subject
        ]
        pair = [true[i] for i in rows], [pred[i] for i in rows]
        again.append(metrics.f1_score(*pair, average="macro", zero_division=0))
    expected = np.percentile(again, [2.5, 97.5])
    assert score_emotions(true, pred, subjects, resamples=50, seed=5)["interval"]["uf1"] == pytest.approx(expected)


def test_aus_are_scored_per_unit_and_absent_units_stay_out_of_the_mean():
    true = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]])
    pred = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]])
    figures = score_action_units(true, pred, [1, 4, 25])
    assert [unit["f1"] for unit in figures["units"]] == [pytest.approx(0.5), pytest.approx(1.0), None]
    assert figures["macro"] == pytest.approx(0.75)
    assert figures["macro"] == pytest.approx(metrics.f1_score(true, pred, average="macro", zero_division=np.nan))
    assert score_action_units(true[:, 2:], pred[:, 2:], [25])["macro"] is None


def test_a_unit_that_does_not_occur_is_out_of_the_mean_whether_predicted_or_not():
    true = np.array([[1, 0], [0, 0]])
    figures = score_action_units(true, np.array([[1, 1], [0, 0]]), [1, 25])
    assert figures["units"][1] == {"au": 25, "positives": 0, "predicted": 1, "f1": None}
    assert figures["macro"] == score_action_units(true, true, [1, 25])["macro"] == 1


@pytest.mark.parametrize(("true", "pred", "subjects"), [([], [], []), ([1], [1, 2], [0]), ([1, 2], [1, 2], [0])])
def test_unequal_or_empty_input_is_refused(true, pred, subjects):
    with pytest.raises(ValueError, match="as many"):
        score_emotions(true, pred, subjects)


def test_unequal_au_arrays_are_refused():
    with pytest.raises(ValueError, match="N x 2"):
        score_action_units(np.zeros((3, 2)), np.zeros((3, 3)), [1, 2])
