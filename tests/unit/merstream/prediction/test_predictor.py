"""A drawn video comes out with its event, an interrupted call goes on, a finished one computes nothing anew."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import merstream
from merstream.embedded import pipeline
from merstream.embedded.pipeline import Tally
from merstream.embedded.run_folder import Workspace
from merstream.prediction import predictor
from merstream.prediction.files import read_prediction
from merstream.prediction.outputs import StoredArtifacts, delete_pictures
from merstream.prediction.predictor import PredictedRecording, PredictionOptions, predict_recording
from services.trainer.recogniser.recognition import RecognisedExpression
from shared.errors import BadData
from shared.stage import Arrays
from tests.unit.merstream.prediction.predicted_video import OPTIONS


class Stopped(Exception):
    pass


def test_the_event_of_a_drawn_video_is_found_and_recognised(prediction: PredictedRecording) -> None:
    found = prediction.prediction
    assert (found.video.name, found.video.frames, found.video.fps) == ("video01.mp4", 180, 30.0)
    assert [face.id for face in found.faces] == [1]
    assert found.faces[0].eye_distance_px == pytest.approx(53, abs=4)
    (event,) = [event for event in found.events if not event.flags]
    assert event.kind == "micro"
    assert event.onset_seconds == pytest.approx(3.99, abs=0.05)
    assert event.offset_seconds == pytest.approx(4.21, abs=0.05)
    assert (event.onset_frame, event.offset_frame) == (
        round(event.onset_seconds * 30),
        round(event.offset_seconds * 30),
    )
    assert event.confidence > 0.9
    assert event.recognition is not None
    assert event.recognition.emotion == "surprise"
    assert sum(event.recognition.emotions.values()) == pytest.approx(1)
    assert found.model is not None
    assert found.model.name == "shipped"
    assert any("30 frames per second" in remark for remark in found.remarks)


def test_the_folder_holds_the_prediction_and_the_artifacts_of_its_events(prediction: PredictedRecording) -> None:
    assert read_prediction(prediction.folder) == prediction.prediction
    numbers = [event.id for event in prediction.prediction.events]
    artifacts = StoredArtifacts(Workspace(prediction.folder), numbers)
    assert sorted(artifacts) == numbers
    assert not len(StoredArtifacts(Workspace(prediction.folder), []))
    assert artifacts[1].ingest["frames"].shape[1:] == (280, 224, 3)
    assert artifacts[1].features["maps"].shape == (1, 3, 28, 28)


def test_a_second_call_computes_nothing(
    prediction: PredictedRecording, drawn_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "WorkerCrew", None)
    again = predict_recording(drawn_video, prediction.folder, OPTIONS, lambda done, total: pytest.fail("watched again"))
    assert again.reused
    assert again.prediction == prediction.prediction
    assert [face.id for face in again.faces] == [1]


def test_other_settings_are_predicted_again_from_the_motion_that_is_there(
    prediction: PredictedRecording, drawn_video: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(prediction.folder, tmp_path / "video01")
    deaf = dataclasses.replace(OPTIONS.spotting, smallest=1.0)
    options = dataclasses.replace(OPTIONS, spotting=deaf)
    again = predict_recording(drawn_video, folder, options, lambda done, total: pytest.fail("watched again"))
    assert not again.reused
    assert again.prediction.events == ()


def test_an_interrupted_prediction_goes_on(prediction: PredictedRecording, drawn_video: Path, tmp_path: Path) -> None:
    def stop(tally: Tally) -> None:
        if tally.done.get("ingest"):
            raise Stopped

    folder = tmp_path / "video01"
    shutil.copytree(prediction.folder / "motion", folder / "motion")
    with pytest.raises(Stopped):
        predict_recording(drawn_video, folder, OPTIONS, on_tally=stop)
    assert not (folder / "prediction.json").exists()
    again = predict_recording(drawn_video, folder, OPTIONS, lambda done, total: pytest.fail("watched again"))
    assert again.prediction == prediction.prediction


REFUSED = "the event: expected patches for the model 'silent', got maps."


class Silent:
    """A model that reads no event."""

    name, digest, trained_on, needs, pipeline = "silent", "0" * 64, "nothing", ("maps",), None

    def recognise_features(self, arrays: Arrays, **_: object) -> RecognisedExpression:
        raise BadData(REFUSED)


def test_an_event_that_the_model_refuses_says_why(
    prediction: PredictedRecording, drawn_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "load_recogniser", lambda model: Silent())
    folder = shutil.copytree(prediction.folder, tmp_path / "video01")
    found = predict_recording(drawn_video, folder, OPTIONS).prediction
    assert len(found.events) == len(prediction.prediction.events)
    assert {event.failure for event in found.events} == {
        "the event: expected patches for the model 'silent', got maps."
    }


def test_no_picture_of_a_face_stays(prediction: PredictedRecording, tmp_path: Path) -> None:
    folder = shutil.copytree(prediction.folder, tmp_path / "video01")
    (folder / "overlay.mp4").write_bytes(b"")
    delete_pictures(folder)
    assert sorted(file.name for file in folder.iterdir()) == ["motion", "prediction.json"]
    assert not len(StoredArtifacts(Workspace(folder), [1]))


def test_a_recording_without_a_face_is_a_prediction_without_events() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (40, 120, 160, 3), np.uint8)
    found = merstream.predict(frames, fps=100)
    assert (found.faces, found.events) == ((), ())
    assert found.remarks == ("No face was seen for long enough to spot an expression.",)


@pytest.mark.parametrize(
    ("fps", "force", "said"), [(15.0, True, "Micro-expressions cannot be seen"), (30.0, False, "coarsely")]
)
def test_what_a_rate_does_not_allow_is_said(fps: float, force: bool, said: str) -> None:
    found = merstream.predict(np.zeros((40, 64, 64, 3), np.uint8), fps, force=force)
    assert any(said in remark for remark in found.remarks)


def test_a_rate_below_20_is_refused_before_any_work(tmp_path: Path) -> None:
    frames: Any = np.zeros((40, 64, 64, 3), np.uint8)
    with pytest.raises(BadData, match=r"expected 20 frames per second or more, got 15: .* use --force"):
        predict_recording(frames, tmp_path / "frames", PredictionOptions(fps=15))
    assert not (tmp_path / "frames").exists()
