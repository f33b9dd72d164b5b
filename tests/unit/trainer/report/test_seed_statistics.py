"""Mean and deviation over seeds."""

import pytest

from services.trainer.report.model import EmotionIntervals, OracleSeedFigures, PooledFigures, Spread, UnitScores
from services.trainer.report.seed_statistics import average_oracle, mean_and_spread, rows_by_seed


def figures(uf1: float, au_f1: float | None = 0.5) -> PooledFigures:
    return PooledFigures(
        samples=0,
        classes=(),
        uf1=uf1,
        uar=0.1,
        accuracy=0.2,
        confusion=(),
        per_class=(),
        per_subject=(),
        interval=EmotionIntervals(uf1=(0, 1), uar=(0, 1), accuracy=(0, 1)),
        aus=UnitScores(macro=au_f1, units=()),
    )


def test_one_row_per_seed_and_their_mean_and_sample_deviation():
    found = {3: figures(0.5), 4: figures(0.7), 5: figures(0.9)}
    row = rows_by_seed(found)[1]
    assert list(row) == [
        ("seed", 4),
        ("uf1", 0.7),
        ("uar", 0.1),
        ("accuracy", 0.2),
        ("au_f1", 0.5),
        ("au_f1_by_dataset", None),
    ]
    spread = mean_and_spread(found).uf1
    assert (spread.mean, spread.sd) == (pytest.approx(0.7), pytest.approx(0.2))


def test_one_seed_has_no_deviation_and_its_own_figures_to_the_bit():
    assert mean_and_spread({0: figures(0.1 + 0.2)}).uf1 == Spread(mean=0.1 + 0.2, sd=None)


def test_a_figure_that_is_not_defined_has_no_mean():
    assert mean_and_spread({0: figures(0.5, None), 1: figures(0.5)}).au_f1 == Spread(mean=None, sd=None)


def test_the_oracle_is_the_mean_over_seeds():
    rows = [OracleSeedFigures(seed=seed, uf1=uf1, uar=0.1, accuracy=0.2) for seed, uf1 in ((0, 0.5), (1, 0.7))]
    oracle = average_oracle("why", rows)
    assert (oracle.meaning, oracle.uf1, oracle.uar) == ("why", pytest.approx(0.6), pytest.approx(0.1))
    assert oracle.seeds == tuple(rows)
    assert average_oracle("why", [rows[0], None]) is None
