"""`mer fetch`: fetch predictions of videos from a stack."""

from pathlib import Path
from typing import Annotated

import typer


def fetch_command(
    video: Annotated[
        str | None, typer.Argument(show_default="all", help="Name of the video in the bucket `videos`.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(show_default="out/predictions", help="Folder. Each video gets a folder of its name in it."),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Write prediction.html: time line, events, pictures.")] = False,
    no_faces: Annotated[bool, typer.Option("--no-faces", help="Write no picture of a face.")] = False,
) -> None:
    """Fetch the predictions of uploaded videos from the stack that the MER_* settings name.

    Example: `mer --env secrets/mer.env fetch own.mp4`. `mer drop own.mp4` uploads a video.
    """
    from merstream.cli.console import stdout_console
    from merstream.stack.video_upload import fetch_predictions

    for name, folder in fetch_predictions(video, to, html, not no_faces).items():
        stdout_console.print(f"{name}: {folder}", markup=False, highlight=False, soft_wrap=True)
