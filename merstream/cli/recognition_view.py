"""The figures of `mer evaluate` in the terminal."""

from rich.markup import escape
from rich.table import Table

from merstream.cli.console import stdout_console
from services.trainer.recogniser.evaluation import CONFIDENT, RecognitionEvaluation, RecognitionFigures


def print_evaluation(found: RecognitionEvaluation) -> None:
    """Print what was scored, UF1 and UAR of all clips and of each dataset, and the confusion."""
    geometries = ", ".join(f"{count} {name}" for name, count in found.geometries.items())
    stdout_console.print(
        f"\n{escape(found.model)}, trained on {escape(found.trained_on)}; {found.figures.clips} clips of "
        f"{found.figures.subjects} subjects, maps: {geometries}",
        soft_wrap=True,
        highlight=False,
    )
    for reason, count in found.left_out.items():
        stdout_console.print(f"left out {count} clips: {escape(reason)}", soft_wrap=True, highlight=False)
    for note in found.notes:
        stdout_console.print(f"[yellow]mind[/] {escape(note)}", soft_wrap=True, highlight=False)
    stdout_console.print(_build_figures_table(found))
    stdout_console.print(_build_confusion_table(found))
    if found.action_units and found.action_units.macro is not None:
        stdout_console.print(
            f"action units: mean F1 {found.action_units.macro:.3f} on {found.action_units.clips} coded clips",
            highlight=False,
        )


def _build_figures_table(found: RecognitionEvaluation) -> Table:
    table = Table(title=f"UF1 and UAR with 95 % intervals over subjects; sure: probability {CONFIDENT:g} or more")
    for name in ("data", "clips", "UF1", "UAR", "sure", "right"):
        table.add_column(name, justify="left" if name == "data" else "right")
    for name, figures in {"all": found.figures, **found.by_dataset}.items():
        table.add_row(escape(name), *_format_figures(figures))
    return table


def _format_figures(figures: RecognitionFigures) -> list[str]:
    return [
        str(figures.clips),
        escape(f"{figures.uf1:.3f} [{figures.uf1_interval[0]:.3f}, {figures.uf1_interval[1]:.3f}]"),
        escape(f"{figures.uar:.3f} [{figures.uar_interval[0]:.3f}, {figures.uar_interval[1]:.3f}]"),
        f"{figures.confident_share:.0%}",
        "" if figures.confident_accuracy is None else f"{figures.confident_accuracy:.0%}",
    ]


def _build_confusion_table(found: RecognitionEvaluation) -> Table:
    table = Table(title="Clips by class (rows) and answer (columns)")
    table.add_column("")
    for name in found.classes:
        table.add_column(name, justify="right")
    for name, row in zip(found.classes, found.figures.confusion, strict=True):
        table.add_row(name, *map(str, row))
    return table
