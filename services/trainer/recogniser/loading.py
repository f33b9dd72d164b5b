"""One loader for every recogniser."""

from pathlib import Path

from services.trainer.recogniser.recognition import Recogniser
from services.trainer.recogniser.run_recogniser import load_run
from services.trainer.recogniser.shipped import SHIPPED_NAME, load_shipped


def load_recogniser(model: str | Path = SHIPPED_NAME, device: str = "cpu") -> Recogniser:
    """The shipped model, or the run in the folder `model`. A run's networks compute on the CPU.

    Raises BadData for a folder without a trained run.
    """
    return load_shipped(device=device) if model == SHIPPED_NAME else load_run(Path(model))
