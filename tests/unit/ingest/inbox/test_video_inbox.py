"""Videos in the bucket: each is announced once, again when it changes, and withdrawn when it is removed."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.ingest.inbox.events import Upload
from services.ingest.inbox.video_inbox import VideoInbox
from shared.bus.local import LocalBus
from shared.prediction.pipeline import PREDICTION_PIPELINE
from shared.records import Artifact, Pipeline, Record, Sample
from shared.run_contents import RunContents
from shared.settings import Settings
from shared.store import LocalStore
from shared.video_records import Video, VideoPlan
from tests.unit.ingest.inbox.lab import Calls, Dead, Spy

RUN = "0123456789abcdef" * 2


class VideoLab:
    """A bucket of videos and a bus in a folder, and a clock that is set forward by hand."""

    def __init__(self, folder: Path, settle: float = 0) -> None:
        self.settings = Settings(home=folder, inbox_settle_seconds=settle, inbox_scan_seconds=100_000)
        self.videos, self.store = LocalStore(folder / "videos"), LocalStore(folder / "store")
        self.bus = LocalBus(folder / "bus.sqlite")
        self.calls, self.passed = Calls(), 0.0
        self.process = self.start()

    def start(self) -> VideoInbox:
        return VideoInbox(
            Spy(self.videos, self.calls, ("list_objects",)),
            self.store,
            Spy(self.bus, self.calls, ("publish",)),
            self.settings,
            clock=lambda: datetime.now(UTC) + timedelta(seconds=self.passed),
        )

    def restart(self) -> None:
        self.process.close()
        self.process = self.start()

    def announced(self) -> dict[str, Video]:
        """The present videos by name."""
        found = [Video.decode(message.value) for message in self.bus.read_newest("mer.videos").values()]
        return {video.name: video for video in found}

    def published(self, topic: str) -> list[bytes | None]:
        with self.bus.exclusive_transaction() as database:
            rows = database.execute("SELECT value FROM messages WHERE topic = ? ORDER BY sequence", (topic,))
            return [value for (value,) in rows]

    def count(self, state: str) -> float | None:
        return self.process.metrics.registry.get_sample_value("mer_videos", {"state": state})

    def close(self) -> None:
        self.calls.die_at = -1
        self.process.close()
        self.bus.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[VideoLab]:
    lab = VideoLab(tmp_path)
    yield lab
    lab.close()


def test_a_video_is_announced_once_with_what_identifies_its_bytes(lab: VideoLab) -> None:
    lab.videos.put("visit 3/own.MP4", b"a video")
    for _ in range(2):
        lab.process.scan_now()
        lab.restart()
    assert len(lab.published("mer.videos")) == 1
    video = lab.announced()["visit 3/own.MP4"]
    (entry,) = lab.videos.list_objects()
    assert (video.mark, video.size, video.pipeline) == (entry.etag, 7, PREDICTION_PIPELINE)
    assert video.key == f"visit%203%2Fown.MP4@{PREDICTION_PIPELINE.digest}"


def test_a_changed_video_is_announced_again_under_its_key(lab: VideoLab) -> None:
    lab.videos.put("own.mp4", b"first")
    lab.process.scan_now()
    before = lab.announced()["own.mp4"]
    lab.videos.put("own.mp4", b"second")
    lab.process.scan_now()
    after = lab.announced()["own.mp4"]
    assert after.key == before.key
    assert (after.mark, after.trace) != (before.mark, before.trace)
    assert len(lab.published("mer.videos")) == 2


def test_a_removed_video_is_withdrawn_with_what_was_spotted_in_it(lab: VideoLab) -> None:
    lab.videos.put("own.mp4", b"first")
    lab.videos.put("other.mp4", b"other")
    lab.process.scan_now()
    key = lab.announced()["own.mp4"].upload_key
    lab.bus.publish("mer.spotted", key, b"faces and events")
    lab.videos.delete("own.mp4")
    lab.process.scan_now()
    assert set(lab.announced()) == {"other.mp4"}
    assert lab.bus.read_newest("mer.spotted") == {}
    lab.process.scan_now()
    assert len(lab.published("mer.videos")) == 3, "it is withdrawn once"


def test_files_that_are_no_videos_are_named_once(lab: VideoLab, caplog: pytest.LogCaptureFixture) -> None:
    for key in ("readme.txt", "clip", ".DS_Store", "a/Thumbs.db", "sheet.xlsx", ".hidden.mp4"):
        lab.videos.put(key, b"x")
    for _ in range(2):
        lab.process.scan_now()
    assert lab.announced() == {}
    named = [line for line in caplog.messages if "expected a video" in line]
    assert [line.split(":")[0] for line in named] == ["clip", "readme.txt", "sheet.xlsx"]
    assert (lab.count("announced"), lab.count("ignored")) == (0, 3)


def test_a_video_that_still_grows_waits_until_it_has_settled(tmp_path: Path) -> None:
    lab = VideoLab(tmp_path, settle=3600)
    lab.videos.put("own.mp4", b"the first half")
    assert 3500 < lab.process.scan_now() <= 3600
    assert (lab.announced(), lab.count("unsettled")) == ({}, 1)
    lab.passed += 3601
    assert lab.process.scan_now() == float("inf")
    assert (set(lab.announced()), lab.count("unsettled"), lab.count("announced")) == ({"own.mp4"}, 0, 1)
    lab.videos.put("own.mp4", b"both halves")
    lab.passed = 0
    lab.process.scan_now()
    assert set(lab.announced()) == {"own.mp4"}, "a video that is replaced just now is not withdrawn"
    lab.close()


def test_a_notification_of_its_own_bucket_wakes_it(lab: VideoLab) -> None:
    event = b'{"Records": [{"s3": {"bucket": {"name": "videos"}, "object": {"key": "my+own.mp4"}}}]}'
    lab.process.step()
    lab.videos.put("my own.mp4", b"a video")
    lab.process.step()
    assert lab.announced() == {}, "no scan is due"
    lab.bus.publish("mer.bucket-events", "k", event.replace(b'"videos"', b'"datasets"'))
    lab.bus.publish("mer.bucket-events", "k", event)
    lab.process.step()
    lab.process.step()
    assert lab.announced() == {}, "the first was about a dataset"
    lab.process.step()
    assert set(lab.announced()) == {"my own.mp4"}
    assert not lab.process.note_upload(Upload("videos", "readme.txt"))


def refusal(lab: VideoLab, plan: bytes, key: str = "own.mp4.merstream.json") -> str:
    lab.videos.put("own.mp4", b"a video")
    lab.videos.put(key, plan)
    lab.process.scan_now()
    return lab.announced()["own.mp4"].fault


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (
            b'{"modell": "shipped"}',
            "own.mp4.merstream.json: modell: Extra inputs are not permitted; expected",
        ),
        (b'{"fps": -1}', "own.mp4.merstream.json: fps: Input should be greater than 0"),
        (b'{"fps": 30, "fps": 60}', "own.mp4.merstream.json: expected each name once, got 'fps' several times"),
        (b'{"model": "sssnet"}', "own.mp4.merstream.json: model: expected `shipped` or the id of a finished run of "),
        (b'{"model": "../../x"}', "own.mp4.merstream.json: model: expected `shipped` or the id of a finished run of "),
        (
            b'{"model": "%s"}' % RUN.encode(),
            "own.mp4.merstream.json: model: expected `shipped` or the id of a ",
        ),
        (b"{}" + b" " * 70_000, "own.mp4.merstream.json: expected at most 65536 bytes of settings, got 70002"),
        (b"model = shipped", "own.mp4.merstream.json: the file: Invalid JSON"),
    ],
)
def test_a_wrong_plan_refuses_its_video_alone(lab: VideoLab, plan: bytes, sentence: str) -> None:
    lab.videos.put("other.mp4", b"another video")
    assert refusal(lab, plan).startswith(sentence)
    other = lab.announced()["other.mp4"]
    assert (other.plan, other.fault) == (VideoPlan(), "")
    assert (lab.count("refused"), lab.count("announced"), lab.count("ignored")) == (1, 1, 0)
    lab.process.scan_now()
    assert len(lab.published("mer.videos")) == 2, "it is told once"
    lab.videos.put("own.mp4.merstream.json", b'{"force": true}')
    lab.process.scan_now()
    video = lab.announced()["own.mp4"]
    assert (video.plan, video.fault) == (VideoPlan(force=True), "")


def test_a_plan_of_its_own_wins_over_that_of_its_folder(lab: VideoLab) -> None:
    for key in ("visit/a.mp4", "visit/b.mp4", "visit/later/c.mp4", "d.mp4"):
        lab.videos.put(key, b"a video")
    lab.videos.put("visit/merstream.json", b'{"fps": 60}')
    lab.videos.put("visit/b.mp4.merstream.json", b'{"force": true}')
    lab.process.scan_now()
    plans = {name: video.plan for name, video in lab.announced().items()}
    assert plans == {
        "visit/a.mp4": VideoPlan(fps=60),
        "visit/b.mp4": VideoPlan(force=True),
        "visit/later/c.mp4": VideoPlan(),
        "d.mp4": VideoPlan(),
    }
    lab.videos.delete("visit/b.mp4.merstream.json")
    lab.process.scan_now()
    assert lab.announced()["visit/b.mp4"].plan == VideoPlan(fps=60)
    assert len(lab.published("mer.videos")) == 5


def test_the_run_of_a_plan_brings_the_pipeline_that_trained_it_once_it_is_finished(lab: VideoLab) -> None:
    plan = b'{"model": "%s", "subject": "lab/s2"}' % RUN.encode()
    assert "a finished run" in refusal(lab, plan)
    pipeline = Pipeline(overrides={"magnifier": {"factors": [3.0]}})
    artifact = Artifact(key="k", sha256="0" * 64, size=1)
    record = Record(
        sample=Sample(dataset="lab", subject="s1", clip="c1", onset=0, offset=9, fps=100),
        stage="roi-au",
        artifact=artifact,
        inputs={"source": artifact},
        recipe="0" * 32,
        pipeline=pipeline,
        trace="t",
    )
    contents = RunContents(dataset="lab", pipeline=pipeline.digest, settings={}, features=(record,))
    lab.store.put(f"runs/{RUN}/run.json", contents.encode())
    assert "a finished run" in refusal(lab, plan)
    lab.store.put(f"reports/lab/{RUN}/report.json", b"{}")
    assert refusal(lab, plan) == ""
    video = lab.announced()["own.mp4"]
    assert (video.pipeline, video.plan) == (pipeline, VideoPlan(model=RUN, subject="lab/s2"))
    assert len(lab.announced()) == 1, "what was refused is withdrawn: its key had another pipeline"


def test_a_plan_that_came_just_now_waits_until_it_has_settled(tmp_path: Path) -> None:
    lab = VideoLab(tmp_path, settle=3600)
    lab.videos.put("own.mp4", b"a video")
    lab.passed = 3601
    lab.process.scan_now()
    os.utime(tmp_path / "videos" / "own.mp4", (1, 1))
    lab.videos.put("own.mp4.merstream.json", b'{"fps": 60}')
    lab.passed = 0
    assert 3500 < lab.process.scan_now() <= 3600
    assert lab.announced()["own.mp4"].plan == VideoPlan(), "it is not withdrawn meanwhile"
    assert lab.process.note_upload(Upload("videos", "own.mp4.merstream.json"))
    lab.close()


def test_killed_before_or_after_any_call_the_next_start_ends_the_same(tmp_path: Path) -> None:
    point, killed = 0, True
    while killed:
        lab = VideoLab(tmp_path / str(point))
        lab.videos.put("stays.mp4", b"1")
        lab.videos.put("changes.mp4", b"2")
        lab.videos.put("goes.mp4", b"3")
        lab.process.scan_now()
        for video in lab.announced().values():
            lab.bus.publish("mer.spotted", video.upload_key, b"faces and events")
        lab.videos.put("changes.mp4", b"22")
        lab.videos.put("comes.mp4", b"4")
        lab.videos.delete("goes.mp4")
        lab.calls.points, lab.calls.die_at = 0, point
        try:
            lab.process.scan_now()
            killed = False
        except Dead:
            killed = True
        lab.calls.die_at = -1
        lab.restart()
        lab.process.scan_now()
        marks = {entry.key: entry.etag for entry in lab.videos.list_objects()}
        assert {name: video.mark for name, video in lab.announced().items()} == marks, point
        kept = {key.partition("@")[0] for key in lab.bus.read_newest("mer.spotted")}
        assert kept == {"stays.mp4"}, point
        assert [v.name for v in lab.announced().values() if v.name == "stays.mp4"] == ["stays.mp4"]
        lab.close()
        point += 1
    assert point > 8, "the last one lived through"
