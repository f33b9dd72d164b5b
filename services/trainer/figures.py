"""The report's pictures, as SVG data URIs: no global matplotlib state, equal figures give equal bytes."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, SOFT, GRID = "#1d2733", "#6b7785", "#e3e8ee"
BLUE, ORANGE, GREY = "#2563a8", "#d9822b", "#a9b4c0"
STYLE: Any = {
    "svg.hashsalt": "merstream",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
}


def confusion(result: Mapping[str, Any]) -> str:
    """Rows: truth, columns: prediction; counts, shaded by their share of the row."""
    table, names = np.array(result["confusion"]), result["classes"]
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    with mpl.rc_context(STYLE):
        figure, axes = _figure(1.6 + 0.85 * len(names), 1.2 + 0.65 * len(names))
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
        for row, column in np.ndindex(*table.shape):
            dark = shares[row, column] > 0.55
            axes.text(column, row, str(table[row, column]), ha="center", va="center", color="white" if dark else INK)
        axes.set_xticks(range(len(names)), names, rotation=25, ha="right")
        axes.set_yticks(range(len(names)), [f"{name} ({n})" for name, n in zip(names, table.sum(1), strict=True)])
        axes.set(xlabel="predicted", ylabel="true")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        return _uri(figure)


def subjects(result: Mapping[str, Any]) -> str:
    """Accuracy of each subject's fold, the number of clips on the axis."""
    rows = result["per_subject"]
    with mpl.rc_context(STYLE):
        figure, axes = _figure(max(4.2, 1.2 + 0.42 * len(rows)), 3.0)
        axes.bar(range(len(rows)), [row["accuracy"] for row in rows], width=0.72, color=BLUE)
        axes.axhline(result["accuracy"], color=ORANGE, lw=1.4, ls=(0, (4, 2)))
        beside: Any = {"transform": axes.get_yaxis_transform(), "va": "center", "color": ORANGE}
        axes.text(1.01, result["accuracy"], f"all {result['accuracy']:.2f}", **beside)
        labels = [f"{row['subject'].split('/')[-1]}\n{row['samples']}" for row in rows]
        axes.set_xticks(range(len(rows)), labels, fontsize=7.5)
        _percentages(axes, "accuracy")
        axes.set_xlabel("subject, clips")
        return _uri(figure)


def aus(result: Mapping[str, Any], baselines: Mapping[str, Any]) -> str:
    """F1 per AU, the linear baseline as a mark where there is one; the number of coded clips on the axis."""
    units = result["units"]
    with mpl.rc_context(STYLE):
        figure, axes = _figure(5.6, 3.0)
        axes.bar(range(len(units)), [unit["f1"] or 0 for unit in units], width=0.66, color=BLUE, label="model")
        if "linear" in baselines:
            marks = [unit["f1"] or 0 for unit in baselines["linear"]["aus"]["units"]]
            axes.scatter(range(len(marks)), marks, marker="_", s=260, lw=2.2, color=ORANGE, label="linear", zorder=3)
        axes.set_xticks(range(len(units)), [f"AU{unit['au']}\n{unit['positives']}" for unit in units])
        axes.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
        _percentages(axes, "F1")
        axes.set_xlabel("action unit, clips that show it")
        return _uri(figure)


def curves(series: Mapping[str, Any]) -> str | None:
    """Median over folds and the band between the extremes: losses left, UF1 on the training subjects right."""
    if not any(series["loss"]):
        return None
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.0), layout="constrained")
        left, right = figure.subplots(1, 2)
        for name, label, colour in (("emotion_loss", "emotion", BLUE), ("au_loss", "AU", ORANGE)):
            _band(left, np.array(series[name]), label, colour)
        _band(right, np.array(series["uf1"]), "UF1, training subjects", BLUE)
        left.set(ylabel="loss", ylim=(0, None))
        _percentages(right, "UF1, training subjects")
        left.legend(frameon=False, ncols=2)
        for axes in (left, right):
            axes.set_xlabel("epoch")
            axes.grid(axis="y", color=GRID)
        return _uri(figure)


def _band(axes: Axes, rows: Any, label: str, colour: str) -> None:
    epochs = np.arange(1, rows.shape[1] + 1)
    axes.fill_between(epochs, rows.min(0), rows.max(0), color=colour, alpha=0.18, lw=0)
    axes.plot(epochs, np.median(rows, 0), color=colour, lw=1.6, label=label)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _percentages(axes: Axes, label: str) -> None:
    axes.set(ylim=(0, 1.02), ylabel=label)
    axes.grid(axis="y", color=GRID)
    axes.set_axisbelow(True)


def _uri(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
