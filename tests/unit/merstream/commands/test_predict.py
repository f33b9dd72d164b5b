"""`mer predict` on a video that is predicted already: the table, the files, and what it refuses."""

import csv
import shutil
from pathlib import Path

import av
import pytest

from merstream.app import main
from merstream.cli.console import FAILED, MISCONFIGURED
from merstream.prediction.files import read_prediction
from merstream.prediction.predictor import PredictedRecording


@pytest.fixture
def out(prediction: PredictedRecording, tmp_path: Path) -> Path:
    """A folder with the finished prediction of the drawn video."""
    shutil.copytree(prediction.folder, tmp_path / "out" / "video01")
    return tmp_path / "out"


def predict(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["predict", *map(str, arguments)])
    return int(ended.value.code or 0)


def test_every_file_is_written(drawn_video: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict(drawn_video, "--out", out, "--csv", "--html", "--overlay") == 0
    printed = capsys.readouterr()
    folder = out / "video01"
    files = ("prediction.json", "events.csv", "overlay.mp4", "prediction.html")
    assert [line for line in printed.out.splitlines() if line.startswith(str(folder))] == [
        str(folder / name) for name in files
    ]
    assert "video01.mp4: 6.0 s at 30 frames/s, 1 face, 1 event" in printed.out
    assert "surprise" in printed.out
    assert "coarsely" in printed.err
    events = read_prediction(folder).events
    with (folder / "events.csv").open(newline="", encoding="utf-8") as stream:
        assert [int(row["event"]) for row in csv.DictReader(stream)] == [event.id for event in events]
    with av.open(str(folder / "overlay.mp4")) as container:
        assert container.streams.video[0].frames == 180
    assert (folder / "prediction.html").stat().st_size > 100_000


def test_without_faces_the_page_stays_and_every_picture_goes(drawn_video: Path, out: Path) -> None:
    assert predict(drawn_video, "--out", out, "--html", "--no-faces") == 0
    folder = out / "video01"
    assert sorted(file.name for file in folder.iterdir()) == ["motion", "prediction.html", "prediction.json"]
    page = (folder / "prediction.html").read_bytes()
    assert predict(drawn_video, "--out", out, "--html", "--no-faces") == 0
    assert (folder / "prediction.html").read_bytes() == page


def test_a_recording_that_cannot_be_read_stops_no_other(
    drawn_video: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    assert predict(tmp_path / "broken.mp4", drawn_video, "--out", out) == FAILED
    printed = capsys.readouterr()
    assert "left out broken.mp4: expected a video" in printed.err
    assert "1 event" in printed.out
    assert predict(tmp_path / "broken.mp4", "--out", out) == FAILED
    assert "mer: broken.mp4: expected a video" in capsys.readouterr().err


def test_an_overlay_without_faces_is_refused(
    drawn_video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(drawn_video, "--out", tmp_path / "out", "--overlay", "--no-faces") == MISCONFIGURED
    assert "An overlay shows faces" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
