"""The figures as LaTeX, for a table of a paper: booktabs rows, one per learner."""

import re
from collections.abc import Mapping
from typing import Any

FIGURES = ("uf1", "uar", "accuracy", "au_f1")
_LATEX_ESCAPES = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_LATEX_ESCAPES |= {sign: f"\\{sign}" for sign in "&%$#_{}"}
_LATEX_ESCAPES |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}


def render_latex(report: Mapping[str, Any]) -> str:
    """A `tabular` that needs the package booktabs; mean and standard deviation where there are several seeds."""
    seeds = [str(row["seed"]) for row in report["seeds"][report["model"]]]
    data = report["data"]
    about = [
        f"{report['protocol']['title']}; {data['samples']} clips of {data['subjects']} subjects",
        f"datasets: {', '.join(data['datasets'])}; features {data['digest'][:16]}; seeds {', '.join(seeds)}",
        *(f"mind: {sentence}" for sentence in report["protocol"]["faults"]),
        r"\usepackage{booktabs}",
    ]
    rows = [_latex_row(name, report["protocol"]["name"], spread) for name, spread in report["spread"].items()]
    head = ["Method", "Protocol", "UF1", "UAR", "ACC", "AU F1"]
    table = [r"\begin{tabular}{llcccc}", r"\toprule", " & ".join(head) + r" \\", r"\midrule", *rows, r"\bottomrule"]
    return "\n".join([*map(_latex_comment, about), *table, r"\end{tabular}"]) + "\n"


def escape_latex(text: str) -> str:
    """Text that LaTeX sets as it stands, on one line."""
    return "".join(_LATEX_ESCAPES.get(sign, sign) for sign in re.sub(r"\s+", " ", text))


def _latex_row(name: str, protocol: str, spread: Mapping[str, Mapping[str, float | None]]) -> str:
    cells = [escape_latex(name), escape_latex(protocol), *(_latex_cell(spread[figure]) for figure in FIGURES)]
    return " & ".join(cells) + r" \\"


def _latex_cell(figure: Mapping[str, float | None]) -> str:
    mean, sd = figure["mean"], figure["sd"]
    if mean is None:
        return "--"
    return f"{mean:.3f}" if sd is None else f"${mean:.3f} \\pm {sd:.3f}$"


def _latex_comment(text: str) -> str:
    return "% " + re.sub(r"\s+", " ", text)
