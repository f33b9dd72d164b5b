"""Mean and scatter over seeds."""

import pytest

from services.trainer.report.seed_statistics import average_oracle, mean_and_spread, rows_by_seed


def figures(uf1: float, au_f1: float | None = 0.5) -> dict:
    return {"uf1": uf1, "uar": 0.1, "accuracy": 0.2, "aus": {"macro": au_f1}, "confusion": []}


def test_one_row_per_seed_and_their_mean_and_sample_deviation():
    found = {3: figures(0.5), 4: figures(0.7), 5: figures(0.9)}
    assert rows_by_seed(found)[1] == {"seed": 4, "uf1": 0.7, "uar": 0.1, "accuracy": 0.2, "au_f1": 0.5}
    assert mean_and_spread(found)["uf1"] == {"mean": pytest.approx(0.7), "sd": pytest.approx(0.2)}


def test_one_seed_has_no_deviation_and_its_own_figures_to_the_bit():
    assert mean_and_spread({0: figures(0.1 + 0.2)})["uf1"] == {"mean": 0.1 + 0.2, "sd": None}


def test_a_figure_that_is_not_defined_has_no_mean():
    assert mean_and_spread({0: figures(0.5, None), 1: figures(0.5)})["au_f1"] == {"mean": None, "sd": None}


def test_the_oracle_is_the_mean_over_seeds():
    assert average_oracle("why", {0: {"uf1": 0.5}, 1: {"uf1": 0.7}}) == {
        "meaning": "why",
        "uf1": pytest.approx(0.6),
        "seeds": [{"seed": 0, "uf1": 0.5}, {"seed": 1, "uf1": 0.7}],
    }
    assert average_oracle("why", {0: {"uf1": 0.5}, 1: None}) is None
