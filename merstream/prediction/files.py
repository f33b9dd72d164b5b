"""The files of a prediction: prediction.json and events.csv. docs/reference/prediction-files.md describes them."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from shared.errors import BadData, Misconfigured
from shared.prediction.files import EVENTS_FILE, PREDICTION_FILE, format_events, format_prediction
from shared.prediction.model import Prediction
from shared.settings_text import decode_settings
from shared.store import LocalStore


def choose_folders(recordings: Sequence[Path], out: Path) -> list[Path]:
    """The folder of each recording's prediction: its name, without the ending of a file.

    Raises Misconfigured for two recordings of one name.
    """
    names = [path.resolve().name if path.is_dir() else path.stem for path in recordings]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise Misconfigured(
            f"Expected recordings of different names, got {twice[0]!r} more than once. Predict them one by one, each "
            "with its own --out."
        )
    return [out / name for name in names]


def write_prediction(prediction: Prediction, folder: Path) -> Path:
    """Write prediction.json into the folder, whole or not at all."""
    LocalStore(folder).put(PREDICTION_FILE, format_prediction(prediction))
    return folder / PREDICTION_FILE


def read_prediction(folder: Path) -> Prediction:
    """The prediction in a folder. Raises BadData if there is none or it cannot be read."""
    file = folder / PREDICTION_FILE
    try:
        data = file.read_bytes()
    except OSError:
        raise BadData(f"{file}: expected a prediction, got none. `mer predict VIDEO` makes one.") from None
    return Prediction.decode(decode_settings(data, str(file)).encode())


def write_events(prediction: Prediction, folder: Path) -> Path:
    """Write events.csv into the folder: one row per event, UTF-8."""
    LocalStore(folder).put(EVENTS_FILE, format_events(prediction))
    return folder / EVENTS_FILE
