"""`mer doctor`: what a dataset folder holds and what is wrong with it."""

from pathlib import Path
from typing import Annotated

import typer

from merstream.cli.console import FAILED
from merstream.cli.options import DistinctPeople, FrameRate, FramesChoice, LabelChoice, SheetCorrections
from shared.inbox.reading_options import ReadingOptions


def doctor_command(
    folders: Annotated[list[Path], typer.Argument(help="Dataset folders, or a folder that holds several.")],
    deep: Annotated[
        bool, typer.Option("--deep", help="Decode every frame. Otherwise only its first and last bytes are read.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write the findings as a page to this file.")] = None,
    prefer: FramesChoice = "cropped",
    corrections: SheetCorrections = "documented",
    labels: LabelChoice = "emotion",
    fps: FrameRate = None,
    distinct: DistinctPeople = None,
) -> None:
    """Report what a dataset folder holds, what is wrong with it, and what each protocol would use.

    Exit code 0: usable. 1: not usable as it is. Example: `mer doctor CASME2 SAMM SMIC --html doctor.html`.
    """
    from merstream.doctor.report import show_diagnosis

    reading = ReadingOptions(prefer, corrections, labels, fps)
    usable = show_diagnosis(folders, reading, deep=deep, distinct=bool(distinct), as_json=as_json, html=html)
    raise typer.Exit(0 if usable else FAILED)
