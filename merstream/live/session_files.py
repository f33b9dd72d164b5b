"""Where a session's prediction goes. A session cannot be repeated, so none is overwritten."""

from pathlib import Path

from merstream.prediction.files import write_events, write_prediction
from shared.errors import Misconfigured
from shared.prediction.files import PREDICTION_FILE
from shared.prediction.model import Prediction
from shared.storage_faults import require_writable_folder, stop_on_storage_fault


def check_session_folder(folder: Path) -> None:
    """Raises Misconfigured if the folder has a prediction, StorageRefused if it cannot be written."""
    if (folder / PREDICTION_FILE).exists():
        raise Misconfigured(
            f"--out {folder}: expected a folder without {PREDICTION_FILE}, got one. A session cannot be repeated, so "
            "it is not overwritten: give another folder, or move the file."
        )
    require_writable_folder(folder)


def write_session(prediction: Prediction, folder: Path, csv: bool = False) -> list[Path]:
    """Write prediction.json, and events.csv if asked for. Returns the files."""
    with stop_on_storage_fault(folder):
        written = [write_prediction(prediction, folder)]
        return [*written, write_events(prediction, folder)] if csv else written
