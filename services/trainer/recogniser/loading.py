"""One loader for every recogniser."""

from pathlib import Path

from services.trainer.recogniser.recognition import Recogniser
from services.trainer.recogniser.run_recogniser import load_run, load_stored_run
from services.trainer.recogniser.shipped import load_shipped
from shared.store import Store
from shared.video_records import SHIPPED_NAME


def load_recogniser(model: str | Path = SHIPPED_NAME, device: str = "cpu") -> Recogniser:
    """The shipped model, or the run in the folder `model`. A run's networks compute on the CPU.

    Raises BadData for a folder without a trained run.
    """
    return load_shipped(device=device) if model == SHIPPED_NAME else load_run(Path(model))


def load_recogniser_of_stack(model: str, store: Store, device: str = "cpu") -> Recogniser:
    """The same on a stack, whose store has its runs: `model` is the id of one. Raises BadData for an unknown one."""
    return load_shipped(device=device) if model == SHIPPED_NAME else load_stored_run(store, model)
