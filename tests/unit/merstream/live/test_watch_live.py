"""A whole session with its real processes. How much of the video is watched depends on the machine, so no test asks."""

import json
import os
import signal
from pathlib import Path

import pytest

from merstream.app import main
from merstream.live.frame_sources import SourceOrder
from merstream.live.live_view import LiveView
from merstream.live.watch_live import LiveOptions, watch_live
from merstream.prediction.files import read_prediction
from shared.errors import BadData, MerError
from tests.unit.merstream.live.drawn_session import write_video


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("camera"))


def run_webcam(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["webcam", *arguments])
    return int(ended.value.code or 0)


def test_a_file_plays_as_a_camera_and_leaves_a_prediction(video: Path, tmp_path: Path) -> None:
    folder = tmp_path / "session"
    assert run_webcam("--file", str(video), "--out", str(folder), "--csv", "--page") == 0
    prediction = read_prediction(folder)
    assert prediction.video.name == "smile.mp4"
    assert 1 <= prediction.video.frames <= 96
    assert json.loads((folder / "prediction.json").read_text())["schema"] == "mer.prediction/1"
    assert (folder / "events.csv").read_text().startswith("video,event,face_id,")


def test_ctrl_c_ends_the_session_with_what_was_seen(video: Path) -> None:
    shown: list[LiveView] = []

    def stop_early(view: LiveView, pixels: object) -> None:
        if not shown:
            os.kill(os.getpid(), signal.SIGINT)
        shown.append(view)

    prediction = watch_live(LiveOptions(SourceOrder(file=video)), stop_early)
    assert prediction.video.frames < 96
    assert shown[-1].ended
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.exhaustive
def test_a_model_that_is_none_is_a_sentence(video: Path, tmp_path: Path) -> None:
    with pytest.raises(MerError, match="run"):
        watch_live(LiveOptions(SourceOrder(file=video), model=tmp_path / "no-run"))


def test_a_source_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="nothing there"):
        watch_live(LiveOptions(SourceOrder(file=tmp_path / "none.mp4")))


def test_a_session_is_never_overwritten(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "prediction.json").write_text("{}")
    assert run_webcam("--file", str(video), "--out", str(tmp_path)) == 2
    assert "is not overwritten" in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "prediction.json").read_text() == "{}"


def test_a_size_that_is_none_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_webcam("--size", "large") == 2
    assert "expected WIDTHxHEIGHT" in capsys.readouterr().err


def test_predicting_a_number_is_watching_that_camera(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["predict", "63"])
    assert ended.value.code == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "this is `mer webcam --camera 63`" in said
    assert "camera 63: expected a camera" in said
