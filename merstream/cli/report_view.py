"""A report on this machine: the order of its files, and its figures in the terminal."""

from collections.abc import Iterable
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from merstream.cli.console import stdout_console
from services.trainer.report.model import PooledFigures, Report, Spread
from shared.errors import BadData
from shared.settings_text import decode_settings


def order_report_files(names: Iterable[str]) -> list[str]:
    """The files of a report in the order of their download, `report.json` last: without it there is no report."""
    return sorted(names, key=lambda name: (name == "report.json", name))


def read_report(folder: Path) -> Report:
    """Read the report in a folder. Raises BadData if there is none or it cannot be read."""
    file = folder / "report.json"
    if not file.exists():
        run = f"`mer run` or `mer train --out {folder.parent}`"
        raise BadData(f"{file}: expected a report, got none; {run} makes one, or name a stack with MER_* settings.")
    return Report.decode(decode_settings(file.read_bytes(), str(file)).encode(), str(file))


def print_report(folder: Path) -> None:
    """Print the figures of the report in a folder. Raises BadData as `read_report` does."""
    report = read_report(folder)
    protocol, data = report.protocol, report.data
    stdout_console.print(
        f"\n{protocol.title}; {data.samples} clips of {data.subjects} subjects, {_describe_seeds(report)}",
        soft_wrap=True,
    )
    for sentence in protocol.faults:
        stdout_console.print(f"[yellow]mind[/] {escape(sentence)}", soft_wrap=True, highlight=False)
    stdout_console.print(_figures_table(report))
    if report.au_basis and report.data.au_clips != data.samples:
        stdout_console.print(f"AU macro F1: {report.au_basis}", soft_wrap=True, highlight=False)
    stdout_console.print(_confusion_table(report.result))
    stdout_console.print(f"The whole report: {escape(str(folder / 'report.html'))}", soft_wrap=True)


def _describe_seeds(report: Report) -> str:
    first = report.seed_numbers[0]
    if len(report.seed_numbers) == 1:
        return f"seed {first}"
    own = f"{report.result.uf1:.3f} {_format_interval(report.result)}"
    seeds = ", ".join(map(str, report.seed_numbers))
    return f"mean ± standard deviation over seeds {seeds}; of seed {first} UF1 {own} and the confusion below"


def _format_interval(result: PooledFigures) -> str:
    low, high = result.interval.uf1
    return escape(f"[{low:.3f}, {high:.3f}]")


def _figures_table(report: Report) -> Table:
    """A row per learner. The interval of UF1 only for a single seed: beside deviations it exceeds 80 columns."""
    titles = {**{name: figure.title for name, figure in report.figures.items()}, "au_f1": "AU macro F1"}
    table = Table("model", *titles.values())
    for name, result in report.learners.items():
        spreads = report.spread[name]
        uf1, *others = [_format_spread(getattr(spreads, figure)) for figure in titles]
        table.add_row(name, uf1 if spreads.uf1.sd is not None else f"{uf1} {_format_interval(result)}", *others)
    return table


def _format_spread(spread: Spread) -> str:
    """Mean ± deviation. A dash for AU F1 if no action unit occurs or none is predicted."""
    if spread.mean is None:
        return "–"
    return f"{spread.mean:.3f}" + ("" if spread.sd is None else f" ± {spread.sd:.3f}")


def _confusion_table(result: PooledFigures) -> Table:
    table = Table("truth \\ predicted", *map(escape, result.classes))
    for name, row in zip(result.classes, result.confusion, strict=True):
        table.add_row(escape(name), *map(str, row))
    return table
