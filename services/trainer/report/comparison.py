"""The figures of a run and of its repetition: what differs."""

from collections.abc import Iterator
from typing import Any

from services.trainer.report.model import EMOTION_FIGURES, FIGURES, Report


def figure_differences(recorded: Report, repeated: Report) -> list[str]:
    """A sentence for each figure of a learner, seed or oracle that differs, in the last digit too."""
    before, after = dict(_list_figures(recorded)), dict(_list_figures(repeated))
    names = [*before, *(name for name in after if name not in before)]
    return [
        f"{name}: {_format_value(before.get(name))} recorded, {_format_value(after.get(name))} now"
        for name in names
        if name not in before or name not in after or before[name] != after[name]
    ]


def _list_figures(report: Report) -> Iterator[tuple[str, Any]]:
    """Every figure with a name that says whose it is."""
    for learner, rows in report.seeds.items():
        for row in rows:
            for figure in FIGURES:
                yield f"{learner}, seed {row.seed}, {figure}", getattr(row, figure)
    if report.oracle:
        for figure in EMOTION_FIGURES:
            yield f"oracle, {figure}", getattr(report.oracle, figure)
    for learner, result in report.learners.items():
        yield f"{learner}, confusion", [list(row) for row in result.confusion]


def _format_value(value: Any) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)
