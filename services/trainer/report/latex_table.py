"""The figures as a LaTeX table, a row per learner."""

import re
from collections.abc import Iterable

from services.trainer.report.model import FigureSpreads, Report, Spread

_LATEX_ESCAPES = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_LATEX_ESCAPES |= {sign: f"\\{sign}" for sign in "&%$#_{}"}
_LATEX_ESCAPES |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}


def render_latex(report: Report) -> str:
    """A `tabular` for the package booktabs, a row per learner: the mean, for several seeds the deviation too."""
    data, protocol = report.data, report.protocol
    seeds = ", ".join(map(str, report.seed_numbers))
    comments = [
        f"{protocol.title}; {data.samples} clips of {data.subjects} subjects",
        f"datasets: {', '.join(data.datasets)}; features {data.digest[:16]}; seeds {seeds}",
        *(f"note: {sentence}" for sentence in protocol.faults),
        *([f"AU F1: {report.au_basis}"] if report.au_basis else []),
        r"\usepackage{booktabs}",
    ]
    titles = {**{name: figure.title for name, figure in report.figures.items()}, "accuracy": "ACC"}
    rows = [_latex_row(name, protocol.name, spread, titles) for name, spread in report.spread.items()]
    head = " & ".join(["Method", "Protocol", *titles.values()]) + r" \\"
    table = [rf"\begin{{tabular}}{{ll{'c' * len(titles)}}}", r"\toprule", head, r"\midrule", *rows, r"\bottomrule"]
    return "\n".join([*map(_latex_comment, comments), *table, r"\end{tabular}"]) + "\n"


def escape_latex(text: str) -> str:
    """The text on one line, with every sign escaped that LaTeX would interpret."""
    return "".join(_LATEX_ESCAPES.get(sign, sign) for sign in re.sub(r"\s+", " ", text))


def _latex_row(name: str, protocol: str, spreads: FigureSpreads, figures: Iterable[str]) -> str:
    cells = [escape_latex(name), escape_latex(protocol), *(_latex_cell(getattr(spreads, each)) for each in figures)]
    return " & ".join(cells) + r" \\"


def _latex_cell(spread: Spread) -> str:
    if spread.mean is None:
        return "--"
    return f"{spread.mean:.3f}" if spread.sd is None else f"${spread.mean:.3f} \\pm {spread.sd:.3f}$"


def _latex_comment(text: str) -> str:
    return "% " + re.sub(r"\s+", " ", text)
