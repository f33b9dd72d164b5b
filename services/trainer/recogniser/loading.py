"""One loader for every recogniser."""

from pathlib import Path

from services.trainer.recogniser.recognition import Recogniser
from services.trainer.recogniser.shipped import SHIPPED_NAME, load_shipped


def load_recogniser(model: str | Path = SHIPPED_NAME, device: str = "cpu") -> Recogniser:
    """The recogniser `shipped`. Raises BadData for another model."""
    return load_shipped(device=device)
