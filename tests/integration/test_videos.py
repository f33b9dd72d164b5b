"""A dropped video on its way through every service: the prediction is that of `mer predict`, whatever is killed."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from merstream import synth
from merstream.prediction.predictor import PredictionOptions, predict_recording
from merstream.single_thread import THREAD_COUNT_VARIABLES
from merstream.stack.prediction_page import write_stack_page
from merstream.stages import STAGES
from merstream.synth.long_events import LongVideoSettings
from services.ingest.inbox.video_inbox import VideoInbox
from services.spotter.__main__ import build_spotter
from services.trainer.service.prediction_starter import PredictionStarter
from services.trainer.service.processes import planning_loops, recognition_loops
from services.trainer.service.run_starter import RunStarter
from shared.bus import Bus
from shared.bus.kafka.create_topics import ensure_topics
from shared.bus.topics import TOPIC_BY_GROUP, dead_letter_topic
from shared.connect import open_bus, open_store, open_videos
from shared.prediction.model import Prediction
from shared.settings import Settings
from shared.store import LocalStore, Store
from shared.telemetry import Metrics
from shared.video_records import PredictionResult, SpottedVideo, VideoPlan
from shared.worker import Worker
from shared.worker.child_handler import ChildHandler
from shared.worker.stage_handler import StageHandler
from tests.servers.s3_servers import NAMES, SharedServers
from tests.unit.console.conftest import served
from tests.unit.trainer.recogniser.drawn_runs import store_run, train_run, write_drawn_table

PATIENCE_SECONDS = 600
NAME = "visit 3/own.mp4"
EXPRESSIVE = LongVideoSettings(
    micro=0,
    macro=40,
    macro_seconds=(0.7, 1.0),
    blink=0,
    speech=0,
    posture=0,
    light=0,
    in_macro=0,
    in_speech=0,
    in_posture=0,
    with_blink=0,
)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of a drawn face with two expressions."""
    folder = tmp_path_factory.mktemp("videos")
    (truth,) = synth.write_long_videos(folder, 1, 1, seed=1, seconds=4, size=(240, 320), settings=EXPRESSIVE)
    return truth.with_suffix(".mp4")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained on maps of four drawn people."""
    folder = tmp_path_factory.mktemp("run")
    train_run(write_drawn_table(folder), folder / "report")
    return folder / "report"


@pytest.fixture(scope="module")
def predicted(video: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Prediction]:
    """What `mer predict` says of it, by the shipped model and by the run."""
    folder = tmp_path_factory.mktemp("predicted")
    chosen = [PredictionOptions(), PredictionOptions(model=run, subject="lab/s2")]
    return [predict_recording(video, folder, options).prediction for options in chosen]


class Services:
    """Every service that a video passes, in one process and one thread."""

    def __init__(self, settings: Settings, bus: Bus, store: Store) -> None:
        self.bus, self.store, stopping = bus, store, threading.Event()
        self.inbox = VideoInbox(open_videos(settings), store, bus, settings)
        runs, planner, self.starter = planning_loops(settings, bus, store, Metrics(), stopping)
        assert isinstance(runs, RunStarter)
        assert isinstance(self.starter, PredictionStarter)
        loops = [
            *build_spotter(settings, bus, store, Metrics(), stopping),
            *(Worker(StageHandler(stage, store), bus, store, settings) for stage in STAGES),
            *recognition_loops(settings, bus, store, Metrics(), stopping),
        ]
        self.workers = [loop for loop in [*loops, planner] if isinstance(loop, Worker)]
        self.followers = [self.inbox, runs, self.starter]

    def work(self, until: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not until():
            assert time.monotonic() < deadline
            self.inbox.step()
            self.starter.poll_topics()
            for worker in self.workers:
                worker.step(timeout=0.05)

    def results(self) -> list[PredictionResult]:
        return [PredictionResult.decode(message.value) for message in self.bus.read_newest("mer.predictions").values()]

    def reasons(self) -> list[str]:
        """The reasons of all dead letters."""
        topics = [dead_letter_topic(group).name for group in TOPIC_BY_GROUP]
        return [m.headers["reason"] for topic in topics for m in self.bus.read_newest(topic).values()]

    def close(self) -> None:
        for loop in [*self.followers, *self.workers]:
            loop.close()
        for worker in self.workers:
            if isinstance(worker.handler, ChildHandler):
                worker.handler.close()


@pytest.fixture
def local(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", scratch=tmp_path / "scratch", inbox_settle_seconds=0)


@pytest.fixture
def remote(kafka_bootstrap: str, s3_servers: SharedServers, tmp_path: Path) -> Iterator[Settings]:
    prefix = f"videos-{uuid.uuid4().hex[:8]}."
    ensure_topics(kafka_bootstrap, prefix=prefix)
    server = s3_servers.endpoint(NAMES[-1])
    with server.bucket() as store, server.bucket() as videos:
        yield Settings(
            kafka_servers=kafka_bootstrap,
            kafka_prefix=prefix,
            s3_endpoint=server.address,
            s3_tls=False,
            s3_bucket=store.bucket,
            videos_bucket=videos.bucket,
            s3_access_key=server.access_key,
            s3_secret_key=server.secret_key,
            scratch=tmp_path / "scratch",
            inbox_settle_seconds=0,
        )


def check_prediction(settings: Settings, video: Path, run: Path, predicted: list[Prediction], folder: Path) -> None:
    shipped, by_run = predicted
    with closing(open_bus(settings)) as bus:
        store = open_store(settings)
        open_videos(settings).put_file(NAME, video)
        services = Services(settings, bus, store)
        services.work(services.results)
        (result,) = services.results()
        found = Prediction.decode(store.get(result.files["prediction.json"]))
        assert services.reasons() == []
        assert found == shipped.model_copy(update={"video": shipped.video.model_copy(update={"name": NAME})})
        assert result.recognised == len(found.events) > 0
        assert bus.read_newest("mer.runs") == {}, "no training is started"
        page = write_stack_page(store, open_videos(settings), result, folder).read_text()
        assert "data:video/mp4;base64," in page, "the page plays the video"
        assert page.count("data:image/") > 4, "the events have pictures"
        bare = write_stack_page(store, open_videos(settings), result, folder, faces=False).read_text()
        assert "data:video/mp4" not in bare
        check_console(bus, store, found)
        plan = VideoPlan(model=store_run(run, store), subject="lab/s2")
        open_videos(settings).put(f"{NAME}.merstream.json", plan.model_dump_json().encode())
        services.inbox.scan_now()
        services.work(lambda: services.results()[-1].model != result.model)
        other = Prediction.decode(store.get(services.results()[-1].files["prediction.json"]))
        assert other.events == by_run.events != found.events
        assert other.settings == by_run.settings
        assert other.model is not None
        assert by_run.model is not None
        assert (other.model.digest, other.model.trained_on) == (by_run.model.digest, by_run.model.trained_on)
        assert services.reasons() == []
        services.close()


def check_console(bus: Bus, store: Store, prediction: Prediction) -> None:
    """The page of the video has every event with its pictures, and the motion of each face."""
    with served(bus, store) as client:
        (address,) = re.findall(r'href="(/videos/[0-9a-f]{16})"', client.open("/videos").text)
        for event in prediction.events:
            assert ('class="film"' in client.open(f"{address}/events/{event.id}").text) == bool(event.recognition)
        assert [each["face"] for each in client.open(f"{address}/curves").json] == [
            face.id for face in prediction.faces
        ]


def test_a_dropped_video_comes_out_as_the_prediction_of_mer_predict(
    local: Settings, video: Path, run: Path, predicted: list[Prediction], tmp_path: Path
) -> None:
    check_prediction(local, video, run, predicted, tmp_path)


def test_so_it_does_over_kafka_and_s3(
    remote: Settings, video: Path, run: Path, predicted: list[Prediction], tmp_path: Path
) -> None:
    check_prediction(remote, video, run, predicted, tmp_path)


def test_files_that_are_no_videos_become_dead_letters_and_stop_nobody(local: Settings, video: Path) -> None:
    with closing(open_bus(local)) as bus:
        store, videos = open_store(local), open_videos(local)
        videos.put("empty.mp4", b"")
        videos.put("text.mp4", b"once upon a time")
        videos.put("half.mp4", video.read_bytes()[:2000])
        services = Services(local, bus, store)
        services.work(lambda: len(services.reasons()) == 3)
        names = sorted(reason.partition(":")[0] for reason in services.reasons())
        assert names == ["empty.mp4", "half.mp4", "text.mp4"]
        assert all(len(reason) > 40 and reason.endswith(".") for reason in services.reasons())
        assert bus.read_newest("mer.spotted") == {}
        services.close()


def test_a_spotter_that_is_killed_leaves_the_next_one_the_same_bytes(
    local: Settings, video: Path, tmp_path: Path
) -> None:
    """SIGKILL while it watches and while it stores. Each process is on another machine: its scratch is empty."""
    whole = Settings(home=tmp_path / "whole", scratch=tmp_path / "other", inbox_settle_seconds=0)
    announce_video(whole, video)
    run_spotter(whole, until=lambda store: is_published(whole), kill=False)
    announce_video(local, video)
    one, two, three = (local.model_copy(update={"scratch": tmp_path / name}) for name in ("one", "two", "three"))
    run_spotter(one, until=lambda store: any((tmp_path / "one").rglob("*.mp4")), kill=True)
    run_spotter(two, until=lambda store: bool(list(store.list_keys("source/"))), kill=True)
    run_spotter(three, until=lambda store: is_published(local), kill=False)
    assert artifacts(local) == artifacts(whole)
    (mine,), (theirs,) = spotted_videos(local), spotted_videos(whole)
    assert (mine.clips, mine.events, mine.artifact) == (theirs.clips, theirs.events, theirs.artifact)


def announce_video(settings: Settings, video: Path) -> None:
    with closing(open_bus(settings)) as bus:
        open_videos(settings).put_file(NAME, video)
        inbox = VideoInbox(open_videos(settings), open_store(settings), bus, settings)
        inbox.scan_now()
        inbox.close()


def run_spotter(settings: Settings, until: Callable[[LocalStore], bool], kill: bool) -> None:
    environment = {**os.environ, **dict.fromkeys(THREAD_COUNT_VARIABLES, "1"), "MER_PORT": "0"}
    environment |= {"MER_HOME": str(settings.home), "MER_SCRATCH": str(settings.scratch)}
    process = subprocess.Popen([sys.executable, "-m", "services.spotter"], env=environment)
    store, deadline = LocalStore(settings.home / "store"), time.monotonic() + PATIENCE_SECONDS
    while not until(store):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
    # One that the other has left nothing to do may be asked to end before it listens.
    expected = (-signal.SIGKILL,) if kill else (0, -signal.SIGTERM)
    assert process.wait(timeout=PATIENCE_SECONDS) in expected


def is_published(settings: Settings) -> bool:
    with closing(open_bus(settings)) as bus:
        return bool(bus.read_newest("mer.spotted"))


def spotted_videos(settings: Settings) -> list[SpottedVideo]:
    with closing(open_bus(settings)) as bus:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := bus.read_newest("mer.spotted")):
            assert time.monotonic() < deadline
        return [SpottedVideo.decode(message.value) for message in found.values()]


def artifacts(settings: Settings) -> dict[str, bytes]:
    store = LocalStore(settings.home / "store")
    return {key: store.get(key) for key in store.list_keys() if key.endswith((".npz", ".draft.json"))}
