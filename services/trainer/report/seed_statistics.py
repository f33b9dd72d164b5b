"""Figures of several trainings of the same folds: by seed, their mean and their standard deviation."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from services.trainer.report.model import (
    EMOTION_FIGURES,
    FIGURES,
    FigureSpreads,
    OracleFigures,
    OracleSeedFigures,
    PooledFigures,
    SeedFigures,
    Spread,
)


def rows_by_seed(pooled: Mapping[int, PooledFigures]) -> tuple[SeedFigures, ...]:
    """One row per seed."""
    return tuple(SeedFigures(seed=seed, **_flat_figures(figures)) for seed, figures in pooled.items())


def mean_and_spread(pooled: Mapping[int, PooledFigures]) -> FigureSpreads:
    """Mean and sample standard deviation over seeds, for each figure.

    The deviation shows how much training varies. How much another sample of people would vary, the interval shows.
    """
    rows = [_flat_figures(figures) for figures in pooled.values()]
    return FigureSpreads(**{name: _spread_of_values([row[name] for row in rows]) for name in FIGURES})


def average_oracle(meaning: str, seeds: Sequence[OracleSeedFigures | None]) -> OracleFigures | None:
    """Means over seeds, with the figures of each seed. None if a seed has none."""
    rows = [row for row in seeds if row is not None]
    if len(rows) < len(seeds) or not rows:
        return None
    means = {name: fmean(getattr(row, name) for row in rows) for name in EMOTION_FIGURES}
    return OracleFigures(meaning=meaning, **means, seeds=tuple(rows))


def _flat_figures(pooled: PooledFigures) -> dict[str, float | None]:
    return {name: getattr(pooled, name) for name in FIGURES}


def _spread_of_values(values: Sequence[float | None]) -> Spread:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return Spread(mean=None, sd=None)
    return Spread(mean=fmean(known), sd=stdev(known) if len(known) > 1 else None)
