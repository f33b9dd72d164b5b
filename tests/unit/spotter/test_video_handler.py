"""A video as a task: its messages, whatever is killed, removed or replaced meanwhile.

The pass over the recording is a stand-in of a few bytes here. `test_spotting_pass.py` runs the real one.
"""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.spotter.metrics import SpotterMetrics
from services.spotter.spotting_pass import PassProgress, SpottedRecording, spotting_recipe
from services.spotter.video_handler import VideoHandler
from services.spotter.watch_store import WatchPlace
from shared.bus.dead_letters import read_outstanding_letters
from shared.bus.local import LocalBus
from shared.errors import BadData, Unavailable
from shared.packed_clips import PackedClip
from shared.prediction.model import PredictedFlag, Prediction, VideoFacts
from shared.prediction.pipeline import PREDICTION_PIPELINE
from shared.records import Record, manifest_key
from shared.scratch import ScratchFolder
from shared.settings import Settings
from shared.store import LocalStore
from shared.telemetry import Metrics
from shared.video_records import RefusedVideo, SpottedVideo, Video, VideoPlan
from shared.worker import Worker
from tests.unit.trainer.lab import Killed, Life, Mortal
from tests.unit.trainer.service.video_lab import draft_event, event_sample

NAME = "visit 3/own.mp4"


class Pass:
    """Spots an event per byte of the file, in chunks of one byte, and counts the bytes that it watched."""

    def __init__(self) -> None:
        self.watched = 0

    def __call__(self, file: Path, of: Video, place: WatchPlace, on_progress: PassProgress) -> SpottedRecording:
        data, name, chunks = file.read_bytes(), of.name, place.copy
        assert chunks is not None
        assert not place.folder.exists()
        done = set(chunks.list_keys())
        if data == b"poison":
            raise BadData(f"{file.name}: expected a video, got a file that cannot be opened as one.")
        for at in range(len(data)):
            on_progress(at / len(data))
            if str(at) not in done:
                chunks.put(str(at), data[at : at + 1])
                self.watched += 1
        flags = (PredictedFlag(name="blink", reason="The eyes closed."),)
        events = tuple(draft_event(at + 1, flags if at == 1 else ()) for at in range(len(data)))
        video = VideoFacts(name=name, frames=300, fps=30, seconds=10, width=640, height=480)
        clips = [
            (event.id, PackedClip(event_sample(event.id, name), {"data": np.frombuffer(data, np.uint8)[: event.id]}))
            for event in events
            if event.id != 3
        ]
        motion = {"times": np.frombuffer(data, np.uint8).astype(float)}
        return SpottedRecording(Prediction(video=video, events=events), motion, clips, {3: "it is too short."})


class Spotter:
    """The process of one spotter."""

    def __init__(self, home: Path, life: Life | None = None) -> None:
        self.bus = LocalBus(home / "bus.sqlite")
        life, self.metrics, self.passed = life or Life(), Metrics(), Pass()
        settings = Settings(home=home, scratch=home / "scratch", retry_base_seconds=0.01, retry_cap_seconds=0.01)
        self.scratch = ScratchFolder(settings, "spotter", "videos")
        self.videos = LocalStore(home / "videos")
        self.handler = VideoHandler(
            self.videos,
            Mortal(LocalStore(home / "store"), life),
            self.scratch,
            SpotterMetrics(self.metrics.registry),
            self.passed,
        )
        self.worker = Worker(self.handler, Mortal(self.bus, life), self.handler.store, settings, self.metrics)

    def work(self) -> None:
        while self.worker.step():
            pass

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    def outcomes(self) -> set[str]:
        return {
            sample.labels["outcome"]
            for metric in self.metrics.registry.collect()
            for sample in metric.samples
            if sample.name == "mer_records_total"
        }

    def close(self) -> None:
        self.scratch.close()
        self.bus.close()


class Lab:
    def __init__(self, home: Path) -> None:
        self.home, self.store, self.videos = home, LocalStore(home / "store"), LocalStore(home / "videos")
        self.bus = LocalBus(home / "bus.sqlite")

    def drop(self, data: bytes, name: str = NAME, **fields: Any) -> Video:
        """Upload a video and announce it, as the inbox does."""
        self.videos.put(name, data)
        return self.announce(name, **fields)

    def announce(self, name: str = NAME, trace: str = "t", **fields: Any) -> Video:
        (entry,) = self.videos.list_objects(name)
        plain = {"name": name, "mark": entry.etag, "size": entry.size, "pipeline": PREDICTION_PIPELINE, "trace": trace}
        video = Video(**plain, **fields)
        self.bus.publish("mer.videos", video.key, video.encode())
        return video

    def sources(self) -> list[Record]:
        """Every record that was ever published, in order."""
        with self.bus.exclusive_transaction() as database:
            rows = database.execute("SELECT value FROM messages WHERE topic = 'mer.sources' ORDER BY sequence")
            return [Record.decode(value) for (value,) in rows]

    def spotted(self) -> dict[str, SpottedVideo]:
        found = [SpottedVideo.decode(message.value) for message in self.bus.read_newest("mer.spotted").values()]
        return {spotted.video.name: spotted for spotted in found}

    def content(self) -> dict[str, bytes]:
        """Everything in the store by key. Manifests have no content here, because they name creation times."""
        keys = list(self.store.list_keys())
        manifests = {manifest_key(key) for key in keys if key.endswith(".npz")}
        return {key: b"" if key in manifests else self.store.get(key) for key in keys}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path / "lab")
    yield lab
    lab.bus.close()


@pytest.fixture
def one(lab: Lab) -> Iterator[Spotter]:
    one = Spotter(lab.home)
    yield one
    one.close()


def test_a_video_gives_a_source_per_event_and_then_the_list_of_them(lab: Lab, one: Spotter) -> None:
    video = lab.drop(b"abcd")
    one.work()
    spotted = lab.spotted()[NAME]
    assert (spotted.video, spotted.events.keys(), spotted.faults) == (video, {1, 2, 4}, {3: "it is too short."})
    assert {record.sample.identity: record.recipe for record in lab.sources()} == spotted.clips
    assert [record.pipeline for record in lab.sources()] == [PREDICTION_PIPELINE] * 3
    assert all(lab.store.exists(manifest_key(record.artifact.key)) for record in lab.sources())
    draft = Prediction.decode(lab.store.get(spotted.draft_key))
    assert [event.id for event in draft.events] == [1, 2, 3, 4]
    assert spotted.artifact.key.startswith("spotter/visit%203%2Fown.mp4/")
    assert (one.value("mer_watched_seconds_total"), one.value("mer_compute_seconds_count", stage="spotter")) == (10, 1)
    assert one.value("mer_spotted_events_total", kind="micro", flagged="no") == 3
    assert one.value("mer_spotted_events_total", kind="micro", flagged="yes") == 1
    assert list(one.scratch.work.iterdir()) == list(one.scratch.kept.iterdir()) == []


def test_a_video_that_does_not_fit_on_the_disk_is_tried_again_and_not_fetched(lab: Lab, one: Spotter) -> None:
    lab.videos.put(NAME, b"ab")
    (entry,) = lab.videos.list_objects(NAME)
    larger = {"mark": entry.etag, "size": 1 << 60, "pipeline": PREDICTION_PIPELINE}
    video = Video(name=NAME, trace="t", **larger)
    with pytest.raises(Unavailable, match=r"own\.mp4: expected 1099511627776 MiB of free space in /"):
        one.handler.handle(video.encode(), one.metrics)
    assert not lab.store.exists(video.refusal_key)
    assert one.passed.watched == 0


def test_a_video_that_comes_again_is_not_watched_again_and_its_messages_carry_the_new_task(
    lab: Lab, one: Spotter
) -> None:
    lab.drop(b"ab")
    one.work()
    before = lab.content()
    again = lab.announce(trace="later")
    one.work()
    assert (one.passed.watched, lab.content()) == (2, before)
    assert one.outcomes() == {"computed", "reused"}
    assert lab.spotted()[NAME].video.trace == again.trace == "later"
    assert [record.trace for record in lab.sources()] == ["t", "t", "later", "later"]


def test_a_source_that_was_deleted_is_made_again(lab: Lab, one: Spotter) -> None:
    lab.drop(b"ab")
    one.work()
    before = lab.content()
    for key in list(lab.store.list_keys("source/")):
        lab.store.delete(key)
    lab.announce()
    one.work()
    assert (one.passed.watched, lab.content()) == (4, before)


def test_equal_bytes_under_two_names_are_two_videos(lab: Lab, one: Spotter) -> None:
    lab.drop(b"ab")
    lab.drop(b"ab", "other.mp4")
    one.work()
    first, second = lab.spotted()[NAME], lab.spotted()["other.mp4"]
    assert first.recipe == second.recipe
    assert first.artifact.key != second.artifact.key
    assert not first.clips.keys() & second.clips.keys()


@pytest.mark.parametrize("change", ["removed", "replaced", "withdrawn"])
def test_a_video_that_changed_before_its_turn_is_left_to_its_next_message(lab: Lab, one: Spotter, change: str) -> None:
    video = lab.drop(b"ab")
    if change == "removed":
        lab.videos.delete(NAME)
    elif change == "replaced":
        lab.videos.put(NAME, b"another")
    else:
        lab.bus.publish("mer.videos", video.key, None)
        lab.videos.delete(NAME)
    one.work()
    assert change in one.outcomes()
    assert (lab.sources(), lab.spotted(), lab.content()) == ([], {}, {})
    assert read_outstanding_letters(lab.bus, lab.store, "spotter") == []


def test_a_replaced_video_is_watched_as_it_is_now(lab: Lab, one: Spotter) -> None:
    lab.drop(b"ab")
    one.work()
    lab.drop(b"xyz")
    one.work()
    assert lab.spotted()[NAME].events.keys() == {1, 2}
    assert lab.spotted()[NAME].video.size == 3
    assert one.passed.watched == 5


def test_poison_becomes_a_dead_letter_that_names_the_video(lab: Lab, one: Spotter) -> None:
    lab.drop(b"poison")
    lab.drop(b"a", "good.mp4")
    lab.bus.publish("mer.videos", "k", b"nonsense")
    one.work()
    reasons = [letter.reason for letter in read_outstanding_letters(lab.bus, lab.store, "spotter")]
    assert "visit 3/own.mp4: expected a video, got a file that cannot be opened as one." in reasons
    assert len([reason for reason in reasons if "Not a mer.video/1" in reason]) == 1
    refused = RefusedVideo.decode(lab.store.get("predictions/visit%203%2Fown.mp4/refused.json"))
    assert refused.reason == "visit 3/own.mp4: expected a video, got a file that cannot be opened as one."
    assert lab.spotted().keys() == {"good.mp4"}


def test_a_name_that_is_too_long_for_a_file_is_read_under_another(lab: Lab, one: Spotter) -> None:
    name = "n" * 240 + ".mp4"
    lab.drop(b"a", name)
    one.work()
    assert one.outcomes() == {"computed"}


def test_a_stop_leaves_the_video_and_the_next_process_goes_on_in_it(lab: Lab, one: Spotter) -> None:
    lab.drop(b"abcd")
    one.handler.should_stop = lambda: one.passed.watched == 2
    assert one.worker.step()
    one.close()
    assert (lab.spotted(), one.passed.watched) == ({}, 2)
    assert read_outstanding_letters(lab.bus, lab.store, "spotter") == []
    other = Spotter(lab.home)
    other.work()
    assert (lab.spotted()[NAME].events.keys(), other.passed.watched) == ({1, 2, 4}, 2)
    other.close()


@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_chunks_of_a_video_that_is_not_there_any_more_are_deleted(lab: Lab, one: Spotter, change: str) -> None:
    lab.drop(b"abcd")
    one.handler.should_stop = lambda: one.passed.watched == 2
    one.worker.step()
    one.close()
    assert len([key for key in lab.content() if "/passes/" in key]) == 2
    if change == "removed":
        lab.videos.delete(NAME)
    else:
        lab.videos.put(NAME, b"another")
    other = Spotter(lab.home)
    other.work()
    assert lab.content() == {}
    other.close()


def test_a_video_that_the_inbox_refuses_is_noted_and_no_dead_letter(lab: Lab, one: Spotter) -> None:
    key = "predictions/visit%203%2Fown.mp4/refused.json"
    lab.drop(b"ab", plan=VideoPlan(model="unknown"), fault="merstream.json: model: there is no such run.")
    one.work()
    assert one.outcomes() == {"refused"}
    assert read_outstanding_letters(lab.bus, lab.store, "spotter") == []
    assert RefusedVideo.decode(lab.store.get(key)).reason == "merstream.json: model: there is no such run."
    lab.announce()
    one.work()
    assert not lab.store.exists(key)
    assert lab.spotted().keys() == {NAME}


def test_what_shapes_the_pass_is_part_of_its_recipe_and_the_model_is_not(lab: Lab, one: Spotter) -> None:
    lab.drop(b"ab")
    one.work()
    recipes = []
    for plan in (VideoPlan(model="another", subject="s1"), VideoPlan(force=True), VideoPlan(fps=60)):
        lab.announce(plan=plan)
        one.work()
        recipes.append(lab.spotted()[NAME].recipe)
    assert recipes[0] == spotting_recipe(hashlib.sha256(b"ab").hexdigest(), VideoPlan())
    assert len(set(recipes)) == 3
    assert one.passed.watched == 6


def spot(home: Path, life: Life) -> tuple[dict[str, bytes], list[object], list[int]]:
    """A spotter's life on two videos, and then another's; what is in the store, what follows, what is left to do."""
    lab = Lab(home)
    lab.drop(b"abcd")
    lab.drop(b"xy", "other.mp4")
    for one in (Spotter(home, life), Spotter(home)):
        with suppress(Killed):
            one.work()
        one.close()
    newest = {record.key: (record.recipe, record.artifact) for record in lab.sources()}
    follows = [newest, {name: (each.clips, each.events, each.artifact) for name, each in lab.spotted().items()}]
    left = [
        lab.bus.group_progress("mer.videos", "spotter").lag,
        len(read_outstanding_letters(lab.bus, lab.store, "spotter")),
    ]
    found = lab.content(), follows, left
    lab.bus.close()
    return found


def test_killed_before_any_effect_the_next_ends_with_the_same_bytes(tmp_path: Path) -> None:
    """Puts, publications and commits are all that others can see: killed anywhere is killed before one of them."""
    life = Life()
    whole = spot(tmp_path / "whole", life)
    assert life.seen > 20
    assert whole[2] == [0, 0]
    for number in range(life.seen):
        assert spot(tmp_path / str(number), Life(number)) == whole, number
