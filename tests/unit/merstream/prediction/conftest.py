"""A drawn video with one micro-expression, and its prediction by the real stages and the real model."""

from pathlib import Path

import pytest

from merstream import synth
from merstream.prediction.predictor import PredictedRecording, PredictionOptions, predict_recording

OPTIONS = PredictionOptions(jobs=1)


@pytest.fixture(scope="session")
def drawn_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds at 30 frames/s: a micro-expression at 2.41 to 2.52 s, and three blinks."""
    folder = tmp_path_factory.mktemp("drawn")
    (truth,) = synth.write_long_videos(folder, subjects=1, seed=7, size=(240, 320), seconds=8)
    return truth.with_suffix(".mp4")


@pytest.fixture(scope="session")
def prediction(drawn_video: Path, tmp_path_factory: pytest.TempPathFactory) -> PredictedRecording:
    return predict_recording(drawn_video, tmp_path_factory.mktemp("found") / "video01", OPTIONS)
