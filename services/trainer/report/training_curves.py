"""Training curves as an SVG data URI: no global matplotlib state, equal series give equal bytes."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from services.trainer.report.model import EpochSeries

INK, SOFT, GRID = "#1d2733", "#5c6875", "#e3e8ee"
BLUE, ORANGE = "#2563a8", "#b9641a"
PLOT_STYLE: Any = {
    "svg.hashsalt": "merstream",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "xtick.color": SOFT,
    "ytick.color": SOFT,
}


def draw_training_curves(series: EpochSeries) -> str | None:
    """Losses, UF1 on the training subjects and learning rate by epoch: median over folds, band from minimum to maximum.

    None for a learner that does not train by epochs.
    """
    if not any(series.loss):
        return None
    with mpl.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(9.4, 2.7), layout="constrained")
        losses, uf1, rate = figure.subplots(1, 3)
        _plot_band(losses, series.emotion_loss, "emotion", BLUE)
        if any(any(fold) for fold in series.au_loss):
            _plot_band(losses, series.au_loss, "AU", ORANGE)
        losses.legend(frameon=False, ncols=2, loc="upper right")
        _plot_band(uf1, series.uf1, "", BLUE)
        _plot_band(rate, series.rate, "", BLUE)
        losses.set(title="loss", ylim=(0, None))
        uf1.set(title="UF1, training subjects", ylim=(0, 1.02))
        rate.set(title="learning rate", ylim=(0, None))
        rate.yaxis.set_major_formatter("{x:g}")
        for axes in (losses, uf1, rate):
            _style_axes(axes)
        return _svg_data_uri(figure)


def _plot_band(axes: Axes, folds: Sequence[Sequence[float]], label: str, colour: str) -> None:
    """A row of values per fold. A fold with fewer epochs than others ends earlier."""
    rows = np.full((len(folds), max(map(len, folds))), np.nan)
    for row, fold in zip(rows, folds, strict=True):
        row[: len(fold)] = fold
    epochs = np.arange(1, rows.shape[1] + 1)
    axes.fill_between(epochs, np.nanmin(rows, 0), np.nanmax(rows, 0), color=colour, alpha=0.18, lw=0)
    axes.plot(epochs, np.nanmedian(rows, 0), color=colour, lw=1.6, label=label)


def _style_axes(axes: Axes) -> None:
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.grid(axis="y", color=GRID)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)


def _svg_data_uri(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
