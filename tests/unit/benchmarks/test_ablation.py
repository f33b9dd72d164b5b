"""Rows that are trained later than others: what their differences need, and which earlier differences still hold."""

import numpy as np
import pytest

from benchmarks.ablation import compare_with_baseline, score_seeds
from services.trainer.data.features import Features, features_from_pairs
from tests.unit.trainer.conftest import moved, sample
from tests.unit.trainer.report.conftest import outcome

OLD = {"uf1": {"difference": -0.25, "interval": [-0.5, 0.0], "p": 0.03}, "uar": None, "au_f1": None}


@pytest.fixture(scope="module")
def features() -> Features:
    rng = np.random.default_rng(0)
    emotions = ("disgust", "happiness", "surprise")
    return features_from_pairs([(sample(s, c, emotions[c], (4,)), moved((4,), rng)) for s in (0, 1) for c in range(3)])


def trained_row(features, predicted):
    return features, {0: [outcome(features, name, predicted) for name in sorted(set(features.subjects.tolist()))]}


def test_a_row_that_is_trained_later_joins_the_earlier_differences(features):
    trained = {"ststnet": trained_row(features, [0, 0, 2]), "linear-maps": trained_row(features, [0, 1, 2])}
    rows = {name: score_seeds(*row) for name, row in trained.items()}
    earlier = {
        "rows": {"linear-maps": rows["linear-maps"], "fmer-lite": {"uf1": [0.75]}},
        "baseline": "linear-maps",
        "less the baseline": {"fmer-lite": OLD, "ststnet": OLD},
    }
    found = compare_with_baseline(trained, rows | {"fmer-lite": {"uf1": [0.75]}}, earlier)
    assert found["baseline"] == "linear-maps"
    assert found["less the baseline"]["fmer-lite"] == OLD
    assert found["less the baseline"]["ststnet"]["uf1"]["difference"] == pytest.approx(-4 / 9)


def test_earlier_differences_end_with_the_figures_of_their_baseline(features):
    trained = {"linear-maps": trained_row(features, [0, 1, 2])}
    rows = {"linear-maps": score_seeds(*trained["linear-maps"]), "fmer-lite": {"uf1": [0.75]}}
    earlier = {
        "rows": {"linear-maps": {"uf1": [0.5]}},
        "baseline": "linear-maps",
        "less the baseline": {"fmer-lite": OLD},
    }
    assert compare_with_baseline(trained, rows, earlier) == {"baseline": "linear-maps", "less the baseline": {}}
    assert compare_with_baseline(trained, rows, {}) == {"baseline": "linear-maps", "less the baseline": {}}


def test_the_reference_may_be_another_than_the_best(features):
    trained = {"ststnet": trained_row(features, [0, 0, 2]), "linear-maps": trained_row(features, [0, 1, 2])}
    rows = {name: score_seeds(*row) for name, row in trained.items()}
    found = compare_with_baseline(trained, rows, {}, "ststnet")
    assert found["baseline"] == "ststnet"
    assert found["less the baseline"]["linear-maps"]["uf1"]["difference"] == pytest.approx(4 / 9)


def test_no_baseline_no_differences(features):
    assert (
        compare_with_baseline({"fmer-lite": trained_row(features, [0, 1, 2])}, {"fmer-lite": {"uf1": [1.0]}}, {}) == {}
    )
