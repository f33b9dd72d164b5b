"""The figures as a LaTeX table, a row per learner."""

import re

from services.trainer.report.model import FIGURES, FigureSpreads, Report, Spread

COLUMN_TITLES = {**{name: figure.title for name, figure in FIGURES.items()}, "accuracy": "ACC"}
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
        r"\usepackage{booktabs}",
    ]
    rows = [_latex_row(name, protocol.name, spread) for name, spread in report.spread.items()]
    head = " & ".join(["Method", "Protocol", *COLUMN_TITLES.values()]) + r" \\"
    table = [r"\begin{tabular}{llcccc}", r"\toprule", head, r"\midrule", *rows, r"\bottomrule"]
    return "\n".join([*map(_latex_comment, comments), *table, r"\end{tabular}"]) + "\n"


def escape_latex(text: str) -> str:
    """The text on one line, with every sign escaped that LaTeX would interpret."""
    return "".join(_LATEX_ESCAPES.get(sign, sign) for sign in re.sub(r"\s+", " ", text))


def _latex_row(name: str, protocol: str, spreads: FigureSpreads) -> str:
    cells = [escape_latex(name), escape_latex(protocol), *(_latex_cell(getattr(spreads, name)) for name in FIGURES)]
    return " & ".join(cells) + r" \\"


def _latex_cell(spread: Spread) -> str:
    if spread.mean is None:
        return "--"
    return f"{spread.mean:.3f}" if spread.sd is None else f"${spread.mean:.3f} \\pm {spread.sd:.3f}$"


def _latex_comment(text: str) -> str:
    return "% " + re.sub(r"\s+", " ", text)
