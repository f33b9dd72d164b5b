"""`mer show`: pictures of what each stage made of a clip."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from merstream.cli.console import stdout_console
from merstream.cli.options import OutFolder


def show_command(
    clip: Annotated[str, typer.Argument(help="`subject/clip` or the clip's name, as in the sheet.")],
    out: OutFolder = Path("out/run"),
    to: Annotated[Path | None, typer.Option(show_default="OUT/show", help="Folder for the pictures.")] = None,
) -> None:
    """Write what each stage made of a clip as PNG: crop, timeline, magnified frames, flow, ROIs."""
    from merstream.embedded.clip_pictures import write_pictures
    from merstream.embedded.run_folder import Workspace

    for file in write_pictures(clip, Workspace(out), to or out / "show"):
        stdout_console.print(escape(str(file)), soft_wrap=True)
