"""A recording plays in real time by any clock, late frames are dropped, and a camera that is missing is a sentence."""

from pathlib import Path

import numpy as np
import pytest

from merstream.live.frame_sources import Camera, PlayedRecording, SourceOrder, describe_closed_camera, limit_size
from services.spotter.recorded_frames import FramesInMemory
from shared.errors import BadData
from tests.unit.merstream.live.drawn_session import HandClock

FRAMES = np.arange(30, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)


def play(clock: HandClock) -> PlayedRecording:
    return PlayedRecording(FramesInMemory(FRAMES, 10.0), clock)


def test_each_frame_comes_at_its_time() -> None:
    clock = HandClock()
    came = [(frame.index, frame.seconds, clock.seconds) for frame in play(clock).read_frames()]
    assert [index for index, _, _ in came] == list(range(30))
    assert np.allclose([moment - 100 for _, _, moment in came], np.arange(30) / 10)
    assert np.allclose([seconds for _, seconds, _ in came], np.arange(30) / 10)


def test_frames_that_are_late_are_dropped_and_the_others_keep_their_times() -> None:
    clock = HandClock()
    came = []
    for frame in play(clock).read_frames():
        came.append(frame.index)
        assert frame.pixels[0, 0, 0] == frame.index
        assert frame.seconds == pytest.approx(frame.index / 10)
        clock.seconds += 0.45 if frame.index == 4 else 0.0  # busy for four and a half frames
    assert came == [0, 1, 2, 3, 4, 8, *range(9, 30)]  # frame 8 was due 0.05 s ago


def test_a_reader_that_is_always_slow_is_never_behind_by_much() -> None:
    clock = HandClock()
    for frame in play(clock).read_frames():
        assert clock.seconds - 100 - frame.seconds <= 0.1 + 1e-9
        clock.seconds += 0.34


def test_a_camera_that_is_missing_is_a_sentence() -> None:
    with pytest.raises(BadData, match=r"camera 63: expected a camera .*mer webcam --file VIDEO"):
        Camera(63, (640, 480), 30.0, HandClock())


def test_the_sentence_says_what_the_system_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert "got none; connect one" in describe_closed_camera(0, tmp_path)
    (tmp_path / "video2").touch()
    assert "got only 2; give one with --camera" in describe_closed_camera(0, tmp_path)
    assert "another program uses it" in describe_closed_camera(2, tmp_path)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert "the right to read" in describe_closed_camera(2, tmp_path)
    monkeypatch.setattr("sys.platform", "darwin")
    assert "privacy" in describe_closed_camera(0, tmp_path)


def test_a_file_that_is_no_video_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="nothing there"):
        SourceOrder(file=tmp_path / "none.mp4").open_source(HandClock())


def test_very_large_frames_are_averaged_over_squares() -> None:
    frame = np.zeros((1000, 4000, 3), np.uint8)
    frame[::3] = 30
    small = limit_size(frame)
    assert small.shape == (333, 1333, 3)
    assert (small == 10).all()
    assert limit_size(FRAMES[0]) is not None
    assert limit_size(FRAMES[0]).shape == (8, 8, 3)
