"""A pass over a recording: what it measures, and that an interruption changes nothing."""

import io
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from services.spotter import recorded_frames
from services.spotter.face_following import FaceFollower
from services.spotter.recorded_frames import Recording
from services.spotter.recording import open_recording
from services.spotter.watch_store import WatchPlace, WatchStore
from services.spotter.watched_faces import WatchedFace
from services.spotter.watching import WatchSettings, watch_recording
from shared.spotting.motion_meter import MotionMeter
from shared.store import LocalStore
from tests.unit.shared.video.coded import write
from tests.unit.shared.video.test_reading import damaged
from tests.unit.spotter.drawn_scenes import Pixels, show_persons

SIZE = (240, 320)
CHUNKS = WatchSettings(chunk=0.5)


def draw_scene(at: int) -> Pixels:
    """Two persons who sway. One of them is away for a while, and there is a cut at the end."""
    sway = 3 * np.sin(at / 5)
    there = [(1, 90 + sway, 120, 0.75)]
    if not 12 <= at < 18:
        there.append((4, 235, 120 + sway, 0.6))
    return show_persons(there, SIZE, seed=at, ground=96 if at < 40 else 230)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 frames of `draw_scene`, 30 frames/s."""
    pictures = {at: draw_scene(at) for at in range(50)}
    folder = tmp_path_factory.mktemp("video")
    return write(folder / "scene.avi", range(50), "mjpeg", {"q:v": "2"}, pictures=pictures, pixels="yuvj444p")


@pytest.fixture(scope="module")
def whole(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a pass that was not interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    watch_recording(open_recording(video), CHUNKS, WatchPlace(folder))
    return folder


@pytest.fixture(scope="module")
def watched(video: Path, whole: Path) -> list[WatchedFace]:
    return watch_recording(open_recording(video), CHUNKS, WatchPlace(whole))


def read_files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


class Interruption(KeyboardInterrupt):
    pass


def watch_until(recording: Recording, folder: Path, seconds: float, copy: Path | None = None) -> list[float]:
    """The times that a pass reports before it is interrupted at `seconds`."""
    reported: list[float] = []

    def report(done: float, whole: float) -> None:
        assert whole == recording.facts.seconds
        reported.append(done)
        if done >= seconds:
            raise Interruption

    try:
        watch_recording(recording, CHUNKS, WatchPlace(folder, copy and LocalStore(copy)), report)
    except Interruption:
        return reported
    return reported


def test_faces_and_their_segments(watched: list[WatchedFace]) -> None:
    assert [face.id for face in watched] == [1, 2]
    one, two = watched
    assert [(segment.frames[0], segment.frames[-1]) for segment in one.segments] == [(0, 39), (40, 49)]
    assert [segment.frames[-1] for segment in two.segments] == [11, 39, 49]
    assert [segment.frames[0] for segment in two.segments][::2] == [0, 40]
    assert 18 <= two.segments[1].frames[0] <= 21
    assert two.segments[1:][0].frames[-1] == 39
    assert one.first_seconds == 0
    assert one.last_seconds == pytest.approx(49 / 30)
    assert one.seen_seconds == pytest.approx(39 / 30 + 9 / 30)
    left, top, right, bottom = one.box
    assert left < 90 < right < left + 120
    assert top < 125 < bottom < top + 140
    assert one.eye_distance_px == pytest.approx(0.75 * 56.6, rel=0.05)
    assert one.turn_degrees < 8
    assert 60 < one.light < 130
    assert one.light < two.light
    assert 0.3 < one.sharpness < 0.8
    assert 0 < one.frozen < 0.6
    assert one.remarks == ()
    assert two.remarks == ("the face is small: 39 px between the eyes; below 40 micro-expressions are coarse",)


def test_a_segment_has_the_motion_that_the_meter_measures(video: Path, watched: list[WatchedFace]) -> None:
    follower, meter = FaceFollower(), MotionMeter()
    boxes = []
    for frame in open_recording(video).read_frames():
        if frame.index > 39:
            break
        seen = follower.follow_frame(frame.pixels, frame.seconds)[0]
        meter.add_frame(frame.pixels, seen.mesh, frame.seconds)
        boxes.append([*seen.mesh.points[:, :2].min(0), *seen.mesh.points[:, :2].max(0)])
    motion, segment = meter.finish(), watched[0].segments[0]
    assert np.array_equal(segment.motion.displacement, motion.displacement)
    assert np.array_equal(segment.motion.times, motion.times)
    assert np.array_equal(segment.motion.head, motion.head)
    assert segment.motion.eye_distance == motion.eye_distance
    assert np.allclose(segment.boxes, boxes)
    assert np.allclose(segment.times, np.arange(40) / 30, atol=1e-3)
    assert segment.landmarks.shape == (40, 68, 2)
    assert segment.scores.min() > 0.9
    sway = segment.landmarks[:, 36:48, 0].mean(1)
    assert sway - sway.mean() == pytest.approx(
        3 * np.sin(np.arange(40) / 5) - 3 * np.sin(np.arange(40) / 5).mean(), abs=1
    )


@pytest.mark.parametrize("seconds", [0.95, *(pytest.param(at, marks=pytest.mark.exhaustive) for at in (0.2, 1.55))])
def test_an_interrupted_pass_goes_on_and_leaves_the_same_bytes(
    tmp_path: Path, video: Path, whole: Path, watched: list[WatchedFace], seconds: float
) -> None:
    halted = tmp_path / "halted"
    assert watch_until(open_recording(video), halted, seconds)[-1] == pytest.approx(seconds, abs=0.04)
    left = watch_until(open_recording(video), halted, np.inf)
    assert left[0] == pytest.approx(seconds // 0.5 * 0.5, abs=0.04)  # from the last whole chunk on
    assert read_files(halted) == read_files(whole)
    assert "state.bin" not in read_files(whole)
    again = watch_recording(open_recording(video), CHUNKS, WatchPlace(halted))
    for face, other in zip(again, watched, strict=True):
        assert face.segments.facts == other.segments.facts
        assert all(
            np.array_equal(a.motion.displacement, b.motion.displacement)
            for a, b in zip(face.segments, other.segments, strict=True)
        )


def test_another_machine_goes_on_from_the_copy_of_the_last_whole_chunk(
    tmp_path: Path, video: Path, whole: Path
) -> None:
    copy = tmp_path / "copy"
    watch_until(open_recording(video), tmp_path / "first", 0.95, copy)
    assert read_files(copy) == read_files(tmp_path / "first")
    left = watch_until(open_recording(video), tmp_path / "second", np.inf, copy)
    assert left[0] == pytest.approx(0.5, abs=0.04)
    assert read_files(tmp_path / "second") == read_files(copy) == read_files(whole)
    (copy / "watch.json").unlink()
    assert watch_until(open_recording(video), tmp_path / "third", 0, copy)[0] == 0, "a copy without its key is no copy"
    assert set(read_files(copy)) == {"watch.json"}


@pytest.mark.parametrize("content", [b"", b'{"id": 1', b"\xff\x00"])
def test_a_result_that_cannot_be_read_counts_as_none(tmp_path: Path, video: Path, whole: Path, content: bytes) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)
    (copy / "faces.json").write_bytes(content)
    assert watch_until(open_recording(video), copy, 0)[0] == 0


def test_a_finished_pass_is_not_computed_anew(tmp_path: Path, video: Path, whole: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)
    assert watch_until(open_recording(video), copy, np.inf) == []
    assert watch_until(open_recording(video, fps=60), copy, 0.1)[0] == 0
    assert not (copy / "faces.json").exists()


def test_a_state_that_cannot_be_read_counts_as_none(tmp_path: Path, video: Path) -> None:
    watch_until(open_recording(video), tmp_path, 0.6)
    state = tmp_path / "state.bin"
    assert watch_until(open_recording(video), tmp_path, 0.6)[0] == pytest.approx(0.5)
    state.write_bytes(state.read_bytes()[:1000])
    assert watch_until(open_recording(video), tmp_path, 0)[0] == 0


class _Attack:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("attacked",)


@pytest.mark.parametrize("content", [_Attack(), pickle.loads, open_recording, Path("/etc")])
def test_a_state_from_elsewhere_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object) -> None:
    monkeypatch.chdir(tmp_path)
    store = WatchStore(WatchPlace(tmp_path / "folder"), {})
    (tmp_path / "folder" / "state.bin").write_bytes(pickle.dumps(content))
    assert store.read_state() is None
    assert not (tmp_path / "attacked").exists()


def test_a_state_comes_back_whole(tmp_path: Path) -> None:
    store = WatchStore(WatchPlace(tmp_path), {})
    state = {"follower": FaceFollower(), "array": np.arange(6.0).reshape(2, 3), "number": np.float64(0.1), "set": {3}}
    store.write_state(state)
    back = store.read_state()
    assert np.array_equal(back["array"], state["array"])  # type: ignore[arg-type]
    assert (back["number"], back["set"], back["follower"].tracks) == (0.1, {3}, [])
    assert io.BytesIO(pickle.dumps(back["array"])).read() == pickle.dumps(state["array"])


def test_a_long_segment_is_divided(video: Path) -> None:
    faces = watch_recording(open_recording(video), WatchSettings(longest_segment=1.0))
    assert [(segment.frames[0], segment.frames[-1]) for segment in faces[0].segments] == [(0, 29), (30, 39), (40, 49)]
    assert [face.id for face in faces] == [1, 2]


def test_positions_are_those_of_the_recording_though_a_smaller_picture_was_searched(
    video: Path, watched: list[WatchedFace], monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = np.stack([draw_scene(at).repeat(2, 0).repeat(2, 1) for at in range(12)])
    monkeypatch.setattr(recorded_frames, "LARGEST_SIDE", 320)
    recording = open_recording(frames, fps=30)
    assert recording.shrink == 2
    face = watch_recording(recording, WatchSettings(shortest_face=0.3))[0]
    expected = watched[0]
    assert face.box == pytest.approx([2 * side for side in expected.box], abs=8)
    assert face.eye_distance_px == pytest.approx(2 * expected.eye_distance_px, rel=0.03)
    assert face.segments[0].motion.eye_distance == pytest.approx(2 * expected.segments[0].motion.eye_distance, rel=0.03)
    middle, other = (each.segments[0].landmarks[0].mean(0) for each in (face, expected))
    assert middle == pytest.approx(2 * other + 0.5, abs=1)


def test_frames_that_are_missing_are_told(tmp_path: Path, video: Path) -> None:
    copy = tmp_path / "scene.avi"
    copy.write_bytes(video.read_bytes())
    faces = watch_recording(open_recording(damaged(copy, 30, 31)))
    assert "2 of 50 frames could not be decoded whole and are missing" in faces[0].remarks
    assert {30, 31}.isdisjoint(faces[0].segments[0].frames.tolist())
    assert faces[0].segments[0].frames[-1] == 39


def test_at_a_high_rate_some_frames_are_left_out() -> None:
    frames = np.stack([show_persons([(1, 120, 120, 0.8)], SIZE, seed=at) for at in range(40)])
    face = watch_recording(open_recording(frames, fps=200), WatchSettings(chunk=0.0051, shortest_face=0.1))[0]
    segment = face.segments[0]
    assert segment.frames.tolist() == list(range(0, 40, 3))
    assert np.array_equal(segment.motion.times, segment.times)
    assert face.remarks == ()


def test_small_and_short_faces() -> None:
    frames = np.stack(
        [show_persons([(1, 80, 120, 0.36), *[(4, 230, 120, 0.6)] * (at < 12)], SIZE, seed=at) for at in range(45)]
    )
    faces = watch_recording(open_recording(frames, fps=30))
    assert len(faces) == 1
    assert len(faces[0].segments) == 0
    assert faces[0].seen_seconds == 0
    assert faces[0].remarks[0] == (
        "the face is too small: 21 px between the eyes, at least 24 are needed; nothing was spotted"
    )


def test_no_face() -> None:
    assert watch_recording(open_recording(np.full((20, 120, 160, 3), 90, np.uint8), fps=30)) == []
