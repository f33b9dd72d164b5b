"""`mer drop VIDEO`, `mer status` and `mer fetch`: a video on its way, on an embedded bus and store."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from merstream import app
from merstream.stack.video_upload import drop_video, select_predictions
from services.ingest.inbox.video_inbox import VideoInbox
from shared.errors import BadData
from shared.records import Pipeline
from shared.settings import Settings
from shared.video_records import PredictionResult
from tests.unit.trainer.lab import Trainer
from tests.unit.trainer.service.video_lab import NAME, VideoLab, video


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VideoLab]:
    lab = VideoLab(tmp_path / "home")
    monkeypatch.setenv("MER_HOME", str(lab.home))
    monkeypatch.chdir(tmp_path)
    yield lab
    lab.bus.close()


def call(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        app.main(list(arguments))
    assert not ended.value.code


def shown(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    call("status", "--json")
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)["videos"]
    return [{name: video[name] for name in ("state", "events", "pending", "recognised")} for video in found]


def test_a_dropped_video_is_announced_by_the_inbox(lab: VideoLab, tmp_path: Path) -> None:
    (tmp_path / "own.mp4").write_bytes(b"a video")
    call("drop", str(tmp_path / "own.mp4"), "--name", "visit 3/own.mp4")
    settings = Settings(home=lab.home, inbox_settle_seconds=0)
    from shared.connect import open_videos

    inbox = VideoInbox(open_videos(settings), lab.store, lab.bus, settings)
    inbox.scan_now()
    inbox.close()
    assert [key.partition("@")[0] for key in lab.bus.read_newest("mer.videos")] == ["visit%203%2Fown.mp4"]
    assert not drop_video(settings, tmp_path / "own.mp4", "visit 3/own.mp4"), "the same content is not sent again"


def test_options_become_the_plan_of_the_video(lab: VideoLab, tmp_path: Path) -> None:
    (tmp_path / "own.mp4").write_bytes(b"a video")
    call("drop", str(tmp_path / "own.mp4"), "--model", "0" * 32, "--subject", "s1", "--force")
    plan = json.loads((lab.home / "videos" / "own.mp4.merstream.json").read_text())
    assert plan == {"model": "0" * 32, "subject": "s1", "force": True}
    call("drop", str(tmp_path / "own.mp4"))
    assert (lab.home / "videos" / "own.mp4.merstream.json").exists(), "without options the plan stays"
    with pytest.raises(SystemExit):
        app.main(["drop", str(tmp_path), "--fps", "60"])


def test_the_prediction_of_the_present_plan_is_fetched_though_another_is_newer(lab: VideoLab) -> None:
    uploads = [video(), video(pipeline=Pipeline())]
    results = [
        PredictionResult(contents="c", video=each, model="m", faces=0, events=0, flagged=0, recognised=0, files={})
        for each in uploads
    ]
    assert select_predictions(results, NAME, [uploads[0].upload_key]) == [results[0]]
    assert select_predictions(results, NAME, []) == [results[1]]


def test_status_says_why_a_video_is_refused(lab: VideoLab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.announce(video(fault="own.mp4.merstream.json: model: there is no such run."))
    capsys.readouterr()
    call("status", "--json")
    (state,) = json.loads(capsys.readouterr().out)["videos"]
    assert (state["state"], state["reason"]) == ("failed", "own.mp4.merstream.json: model: there is no such run.")


def test_status_says_that_nobody_works_on_a_video(lab: VideoLab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.announce()
    lab.discard_work("mer.videos", "spotter")
    assert [video["state"] for video in shown(capsys)] == ["lost"]
    call("status")
    assert "lost: It has neither" in " ".join(capsys.readouterr().out.split())


def test_a_name_that_the_inbox_would_ignore_is_refused(lab: VideoLab, tmp_path: Path) -> None:
    (tmp_path / "own.mp4").write_bytes(b"a video")
    for name in ("own", ".own.mp4", "a//own.mp4"):
        with pytest.raises(BadData, match="Expected a video's name"):
            drop_video(Settings(home=lab.home), tmp_path / "own.mp4", name)


def test_status_and_fetch_follow_a_video_to_its_prediction(
    lab: VideoLab, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lab.announce()
    assert shown(capsys) == [{"state": "watching", "events": None, "pending": None, "recognised": None}]
    lab.spot(faults={3: "it is too short."})
    lab.extract(1)
    assert shown(capsys) == [{"state": "computing", "events": 3, "pending": 1, "recognised": None}]
    lab.extract(2)
    assert [video["state"] for video in shown(capsys)] == ["recognising"]
    with pytest.raises(SystemExit):
        app.main(["fetch"])
    assert "Expected a prediction of any video, got none" in capsys.readouterr().err
    one = Trainer(lab.home)
    one.predictions.poll_topics()
    assert one.recogniser.step()
    one.close()
    assert shown(capsys) == [{"state": "predicted", "events": 3, "pending": 0, "recognised": 2}]
    call("status")
    assert NAME in capsys.readouterr().out
    call("fetch", NAME)
    file = tmp_path / "out" / "predictions" / "visit%203%2Fown.mp4" / "prediction.json"
    assert (file.parent / "events.csv").read_text().count("\n") == 4, "a title and three events"
    assert file.read_bytes() == lab.store.get(lab.results()[NAME].files["prediction.json"])
