"""The figures of one run told twice: what differs."""

from collections.abc import Iterator, Mapping
from typing import Any

Report = Mapping[str, Any]


def figure_differences(then: Report, now: Report) -> list[str]:
    """One sentence per figure of a learner, seed or oracle that is not the same to the last digit."""
    before, after = dict(_list_figures(then)), dict(_list_figures(now))
    names = [*before, *(name for name in after if name not in before)]
    return [
        f"{name}: {_format_value(before.get(name))} recorded, {_format_value(after.get(name))} now"
        for name in names
        if name not in before or name not in after or before[name] != after[name]
    ]


def _list_figures(report: Report) -> Iterator[tuple[str, Any]]:
    """By what they are of."""
    for learner, rows in report["seeds"].items():
        for row in rows:
            for figure in ("uf1", "uar", "accuracy", "au_f1"):
                yield f"{learner}, seed {row['seed']}, {figure}", row[figure]
    for figure in ("uf1", "uar", "accuracy"):
        if report["oracle"]:
            yield f"oracle, {figure}", report["oracle"][figure]
    for learner, result in {report["model"]: report["result"], **report["baselines"]}.items():
        yield f"{learner}, confusion", result["confusion"]


def _format_value(value: Any) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)
