"""prediction.json and events.csv hold what the docs promise."""

import csv
import json
import re
from pathlib import Path

import pytest

from merstream.prediction.files import choose_folders, read_prediction, write_events, write_prediction
from shared.errors import BadData, Misconfigured
from shared.prediction.model import PredictedEvent, PredictedFlag, Prediction, Recognition, VideoFacts

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "prediction-files.md"
VIDEO = VideoFacts(name="a.mp4", sha256="0" * 64, frames=300, fps=100.0, seconds=3.0, width=640, height=480)
SURE = PredictedEvent(
    id=1,
    face=2,
    kind="micro",
    onset_seconds=1.0,
    apex_seconds=1.12345,
    offset_seconds=1.3,
    onset_frame=100,
    apex_frame=112,
    offset_frame=130,
    size_eye_distances=0.0123456,
    strength=2.345,
    regions=("left mouth corner", "left cheek"),
    side="left",
    confidence=0.98765,
    recognition=Recognition(
        emotion="positive",
        emotions={"negative": 0.1, "positive": 0.75, "none": 0.15},
        fine_emotion="happiness",
        fine_emotions={"happiness": 0.8, "none": 0.2},
        action_units={"12": 0.8765, "4": 0.4},
        warnings=("It may be too good.",),
    ),
)
DOUBTFUL = SURE.model_copy(
    update={
        "id": 2,
        "recognition": None,
        "failure": "ingest: no face.",
        "flags": (PredictedFlag(name="blink", reason="An eye is closed."),),
    }
)
PREDICTION = Prediction(video=VIDEO, settings={"version": 1}, events=(SURE, DOUBTFUL), remarks=("One remark.",))


def read_rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_prediction_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = write_prediction(PREDICTION, tmp_path)
    assert read_prediction(tmp_path) == PREDICTION
    assert json.loads(file.read_text(encoding="utf-8"))["schema"] == "mer.prediction/1"


def test_a_folder_without_a_prediction_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"prediction\.json: expected a prediction, got none"):
        read_prediction(tmp_path)


def test_a_row_has_what_the_event_has(tmp_path: Path) -> None:
    first, second = read_rows(write_events(PREDICTION, tmp_path))
    assert first == {
        "video": "a.mp4",
        "event": "1",
        "face_id": "2",
        "kind": "micro",
        "confidence": "0.988",
        "side": "left",
        "onset_s": "1.0",
        "apex_s": "1.1235",
        "offset_s": "1.3",
        "duration_s": "0.3",
        "onset_frame": "100",
        "apex_frame": "112",
        "offset_frame": "130",
        "size_eye_distances": "0.01235",
        "strength": "2.35",
        "regions": "left mouth corner;left cheek",
        "flags": "",
        "emotion": "positive",
        "fine_emotion": "happiness",
        "emotion_negative": "0.1",
        "emotion_positive": "0.75",
        "emotion_none": "0.15",
        "fine_happiness": "0.8",
        "fine_none": "0.2",
        "AU04_c": "0",
        "AU12_c": "1",
        "AU04_p": "0.4",
        "AU12_p": "0.8765",
        "remarks": "It may be too good.",
    }
    assert (second["flags"], second["emotion"], second["AU12_c"]) == ("blink", "", "")
    assert second["remarks"] == "An eye is closed. ingest: no face."


def test_the_page_explains_every_column(tmp_path: Path) -> None:
    explained = set(re.findall(r"`([A-Za-z0-9_]+)`", PAGE.read_text(encoding="utf-8").partition("## events.csv")[2]))
    for name in read_rows(write_events(PREDICTION, tmp_path))[0]:
        general = re.sub(r"^(emotion|fine)_(?!emotion).*", r"\1_NAME", re.sub(r"^AU\d+", "AU12", name))
        assert general in explained, name


def test_the_table_of_a_recording_without_events_has_a_header_alone(tmp_path: Path) -> None:
    file = write_events(PREDICTION.model_copy(update={"events": ()}), tmp_path)
    assert read_rows(file) == []
    assert file.read_text(encoding="utf-8").startswith("video,event,face_id,kind,onset_s")


def test_a_folder_is_called_as_its_recording(tmp_path: Path) -> None:
    (tmp_path / "take.1").mkdir()
    assert choose_folders([Path("x/a.b.mp4"), tmp_path / "take.1"], Path("out")) == [
        Path("out/a.b"),
        Path("out/take.1"),
    ]
    with pytest.raises(Misconfigured, match="got 'a' more than once"):
        choose_folders([Path("x/a.mp4"), Path("y/a.mov")], Path("out"))
