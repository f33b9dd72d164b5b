"""What the user asked for beside prediction.json: events.csv, prediction.html, overlay.mp4."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from merstream.prediction.files import PREDICTION_FILE, write_events
from merstream.prediction.predictor import PredictedRecording


@dataclass(frozen=True)
class OutputChoice:
    """Which files to write. `faces`: with pictures of faces."""

    html: bool = False
    overlay: bool = False
    csv: bool = False
    faces: bool = True


def write_outputs(found: PredictedRecording, choice: OutputChoice) -> list[Path]:
    """Write the chosen files, and return all files of the prediction."""
    files = [found.folder / PREDICTION_FILE]
    if choice.csv:
        files.append(write_events(found.prediction, found.folder))
    return files
