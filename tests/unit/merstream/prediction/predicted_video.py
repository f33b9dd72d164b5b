"""A drawn video with one micro-expression, and its prediction by the real stages and the real model."""

from pathlib import Path

import pytest

from merstream import synth
from merstream.prediction.predictor import PredictedRecording, PredictionOptions, predict_recording

OPTIONS = PredictionOptions(jobs=1)


@pytest.fixture(scope="session")
def drawn_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds at 30 frames/s: surprise at 3.99 to 4.21 s, then a change of light and a blink."""
    folder = tmp_path_factory.mktemp("drawn")
    (truth,) = synth.write_long_videos(folder, subjects=1, seed=37, size=(240, 320), seconds=6)
    return truth.with_suffix(".mp4")


@pytest.fixture(scope="session")
def prediction(drawn_video: Path, tmp_path_factory: pytest.TempPathFactory) -> PredictedRecording:
    return predict_recording(drawn_video, tmp_path_factory.mktemp("found") / "video01", OPTIONS)
