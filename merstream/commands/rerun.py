"""`mer rerun`: repeat the run of a run.json."""

from pathlib import Path
from typing import Annotated

import typer

from merstream.cli.console import FAILED
from merstream.cli.options import CORE_COUNT, ShowFaces, WorkerCount


def rerun_command(
    run_file: Annotated[Path, typer.Argument(help="The run.json beside a report.")],
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            "-o",
            show_default="the folder of the run.json",
            help="Folder of a run with the same features. Several are pooled, and the first gets the report.",
        ),
    ] = None,
    features: Annotated[
        Path | None, typer.Option(help="The `samples.csv` of a run that was trained on a table.")
    ] = None,
    jobs: WorkerCount = CORE_COUNT,
    faces: ShowFaces = False,
) -> None:
    """Repeat the run of a run.json and compare its figures. Exit code 1 if a figure differs."""
    from merstream.embedded.rerun import repeat_run

    raise typer.Exit(0 if repeat_run(run_file, out or [], features, jobs=jobs, faces=faces) else FAILED)
