"""Figures of several trainings of the same folds: by seed, their mean and their scatter."""

from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any

FiguresBySeed = Mapping[int, Mapping[str, Any]]  # what `summary.figures_of` says, by seed
FIGURE_NAMES = ("uf1", "uar", "accuracy", "au_f1")


def rows_by_seed(found: FiguresBySeed) -> list[dict[str, Any]]:
    """One row per seed."""
    return [{"seed": seed, **_flat_figures(figures)} for seed, figures in found.items()]


def mean_and_spread(found: FiguresBySeed) -> dict[str, dict[str, float | None]]:
    """Per figure the mean over seeds and the sample standard deviation; None of one seed, and where a figure is not
    defined. It says how far training scatters; how far another sample of people would, the interval says."""
    rows = [_flat_figures(figures) for figures in found.values()]
    return {name: _spread_of_values([row[name] for row in rows]) for name in FIGURE_NAMES}


def average_oracle(meaning: str, found: Mapping[int, Mapping[str, float] | None]) -> dict[str, Any] | None:
    """Means over seeds, each seed's own beside; None where some seed has none."""
    rows = {seed: figures for seed, figures in found.items() if figures is not None}
    if len(rows) < len(found) or not rows:
        return None
    names = next(iter(rows.values()))
    means = {name: fmean(row[name] for row in rows.values()) for name in names}
    return {"meaning": meaning, **means, "seeds": [{"seed": seed, **row} for seed, row in rows.items()]}


def _flat_figures(figures: Mapping[str, Any]) -> dict[str, float | None]:
    return {**{name: figures[name] for name in FIGURE_NAMES[:3]}, "au_f1": figures["aus"]["macro"]}


def _spread_of_values(values: list[float | None]) -> dict[str, float | None]:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return {"mean": None, "sd": None}
    return {"mean": fmean(known), "sd": stdev(known) if len(known) > 1 else None}
