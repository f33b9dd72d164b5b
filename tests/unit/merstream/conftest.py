"""A toy dataset and trainers for a stack, and a drawn video with its prediction."""

from tests.unit.merstream.prediction.predicted_video import drawn_video, prediction  # noqa: F401
from tests.unit.trainer.conftest import lab, trainer  # noqa: F401
