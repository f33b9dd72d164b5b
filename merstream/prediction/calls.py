"""Prediction in Python: one call from a video, a folder of images or frames to its events."""

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import Misconfigured
from shared.prediction.model import Prediction

__all__ = ["Prediction", "predict"]


def predict(
    recording: Path | str | NDArray[np.uint8],
    fps: float | None = None,
    *,
    out: Path | str | None = None,
    model: Path | str = "shipped",
    subject: str | None = None,
    html: bool = False,
    overlay: bool = False,
    csv: bool = False,
    faces: bool = True,
    force: bool = False,
    jobs: int | None = None,
) -> Prediction:
    """Find the expressions in a recording and say what they are, as `mer predict` does.

    recording: a video file, a folder of images that are its frames, or frames uint8 [T,H,W,3] RGB.
    fps: frames per second. Frames in memory need it. A video's own time stamps are used without it.
    out: folder for prediction.json and what else is asked for. A second call there computes only what is missing. None:
    everything is deleted after the call.
    model: "shipped", which was trained on drawn faces, or the folder of a run of one's own.
    subject: who is seen, if the run of one's own may have clips of that person.
    html, overlay, csv: also write prediction.html, overlay.mp4, events.csv. They need `out`.
    faces: False writes no picture of a face.
    force: accept less than 20 frames per second.
    jobs: processes, by default one per core. They do not run the calling script again.

    Events that may be something else (a blink, speech, ...) have `flags`. Raises BadData for a recording that cannot
    be read or is too slow, MissingWeights without model weights, Misconfigured for arguments that do not fit.
    """
    from merstream.prediction.outputs import OutputChoice, write_outputs
    from merstream.prediction.predictor import PredictionOptions, predict_recording

    if out is None:
        if html or overlay or csv:
            raise Misconfigured("Expected a folder `out` for html, overlay and csv, got none.")
        with tempfile.TemporaryDirectory() as folder:
            given: dict[str, Any] = {"model": model, "subject": subject, "force": force, "jobs": jobs}
            return predict(recording, fps, out=Path(folder) / _name_recording(recording), **given)
    choice = OutputChoice(html, overlay, csv, faces)
    options = PredictionOptions(
        "shipped" if model == "shipped" else Path(model), subject, fps, force, jobs or os.cpu_count() or 1
    )
    source = Path(recording) if isinstance(recording, str) else recording
    found = predict_recording(source, Path(out), options)
    write_outputs(found, choice)
    return found.prediction


def _name_recording(recording: Path | str | NDArray[np.uint8]) -> str:
    return Path(recording).stem if isinstance(recording, str | Path) else "frames"
