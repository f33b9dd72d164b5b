"""`mer predict`: the expressions in videos of one's own, without labels and without a dataset."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from merstream.cli.console import FAILED, print_message, stdout_console
from merstream.cli.options import CORE_COUNT, WorkerCount
from merstream.commands.webcam import webcam_command
from shared.errors import BadData

DEFAULT_PREDICTIONS = Path("out/predict")


def predict_command(
    videos: Annotated[
        list[Path],
        typer.Argument(help="Video files, or folders of images that are the frames of one recording each."),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Folder of the predictions. Each video gets a folder of its name in it."),
    ] = DEFAULT_PREDICTIONS,
    html: Annotated[bool, typer.Option("--html", help="Write prediction.html: time line, events, pictures.")] = False,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Write overlay.mp4: the video with faces and events drawn on it.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Write events.csv: one row per event.")] = False,
    no_faces: Annotated[
        bool, typer.Option("--no-faces", help="Write no picture of a face, and delete those in between.")
    ] = False,
    model: Annotated[
        str,
        typer.Option(
            help="`shipped`, which was trained on drawn faces, or the folder of a run: `out/run` of `mer train --out "
            "out/run`."
        ),
    ] = "shipped",
    subject: Annotated[
        str | None,
        typer.Option(
            help="Who is seen: `subject` or `dataset/subject` of the run. Networks that know the person are left out."
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(min=0.001, help="Frames per second of a folder of images, or of a video whose own is wrong."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Accept a recording with less than 20 frames per second.")
    ] = False,
    jobs: WorkerCount = CORE_COUNT,
) -> None:
    """Find the expressions in videos and say what they are. Needs no labels, no dataset and no GPU.

    Example: `mer predict holiday.mp4 --html`. Writes prediction.json, and what the options ask for.

    The number of a camera instead of a video (`mer predict 0`) starts `mer webcam`.

    Ctrl-C stops cleanly. The same command continues where it stopped, and computes nothing anew once it is done.
    """
    from merstream.cli.prediction_view import print_prediction
    from merstream.prediction.files import choose_folders
    from merstream.prediction.outputs import OutputChoice, write_outputs
    from merstream.prediction.predictor import PredictionOptions, predict_recording
    from merstream.prediction.progress import prediction_bars

    camera = str(videos[0])
    if len(videos) == 1 and camera.isdecimal() and not videos[0].exists():
        print_message(f"{camera} is a camera: this is `mer webcam --camera {camera}`.")
        webcam_command(camera=int(camera), page=html, no_faces=no_faces, model=model, fps=fps)
        return
    options = PredictionOptions(_parse_model(model), subject, fps, force, jobs)
    outputs = OutputChoice(html=html, overlay=overlay, csv=csv, faces=not no_faces)
    faults = []
    for video, folder in zip(videos, choose_folders(videos, out), strict=True):
        try:
            with prediction_bars(video.name) as (show_seconds, show_tally):
                found = predict_recording(video, folder, options, show_seconds, show_tally)
        except BadData as fault:
            if len(videos) == 1:
                raise
            print_message(str(fault), "left out")
            faults.append(fault)
            continue
        print_prediction(found.prediction)  # first: an overlay of a long video takes its time
        for file in write_outputs(found, outputs):
            stdout_console.print(escape(str(file)), soft_wrap=True, highlight=False)
    if faults:
        raise typer.Exit(FAILED)


def _parse_model(text: str) -> str | Path:
    return text if text == "shipped" else Path(text)
