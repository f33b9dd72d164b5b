"""`mer webcam`: the expressions of a face in front of a camera, live."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from shared.errors import Misconfigured


def webcam_command(
    camera: Annotated[int, typer.Option(min=0, help="Number of the camera.")] = 0,
    file: Annotated[
        Path | None, typer.Option("--file", help="A video or a folder of images that plays as a camera, in real time.")
    ] = None,
    page: Annotated[
        bool,
        typer.Option("--page", help="Show the session as a page in the browser, which only this computer reaches."),
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page. 0: any free one.")] = 0,
    no_faces: Annotated[bool, typer.Option("--no-faces", help="Show no picture on the page.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", show_default="none", help="Folder that gets prediction.json when the session ends."
        ),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="With --out: write events.csv too.")] = False,
    model: Annotated[
        str, typer.Option(help="`shipped`, which was trained on drawn faces, or the folder of a run of `mer train`.")
    ] = "shipped",
    faces: Annotated[int, typer.Option(min=1, max=6, help="How many faces to follow, the largest first.")] = 1,
    size: Annotated[str, typer.Option(help="Width and height that the camera is asked for, px.")] = "640x480",
    fps: Annotated[
        float | None, typer.Option(min=1, show_default="30, a file's own", help="Frames per second to ask for.")
    ] = None,
) -> None:
    """Find the expressions of a face in front of a camera, and say what they are, while it goes on.

    Example: `mer webcam --page`. Without a camera: `mer webcam --file VIDEO`.

    Events appear when they have ended. Ctrl-C ends the session with a summary. Nothing is stored without --out.
    """
    import numpy as np
    from numpy.typing import NDArray
    from rich.markup import escape

    from merstream.cli.console import print_message, stderr_console, stdout_console
    from merstream.cli.prediction_view import print_prediction
    from merstream.live.frame_sources import SourceOrder
    from merstream.live.live_view import LiveView
    from merstream.live.page_display import PageDisplay
    from merstream.live.session_files import check_session_folder, write_session
    from merstream.live.terminal_display import TerminalDisplay
    from merstream.live.watch_live import LiveOptions, watch_live

    if out is not None:
        check_session_folder(out)
    order = SourceOrder(camera, file, fps, parse_camera_size(size))
    options = LiveOptions(order, model if model == "shipped" else Path(model), faces)
    with ExitStack() as stack:
        browser = stack.enter_context(PageDisplay(port, pictures=not no_faces)) if page else None
        if browser:
            print_message(f"Open {browser.address} in a browser.")
        print_message("Loading the model.")
        terminal = stack.enter_context(TerminalDisplay(stderr_console))

        def show_view(view: LiveView, pixels: NDArray[np.uint8] | None) -> None:
            terminal.show_view(view)
            if browser:
                browser.show_view(view, pixels)

        prediction = watch_live(options, show_view)
    print_prediction(prediction)
    for written in write_session(prediction, out, csv) if out else ():
        stdout_console.print(escape(str(written)), soft_wrap=True, highlight=False)


def parse_camera_size(text: str) -> tuple[int, int]:
    """`WIDTHxHEIGHT` -> width, height, px. Raises Misconfigured for anything else."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise Misconfigured(f"--size {text}: expected WIDTHxHEIGHT in px, for example 1280x720.")
    return int(parts[0]), int(parts[1])
