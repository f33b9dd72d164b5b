"""A spotted event becomes a clip that ingest reads: the right frames, around the face, without loss."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from merstream.prediction.event_clips import MOST_FRAMES, FacePath, PlannedClip, choose_frames, plan_clip, read_clips
from services.ingest.source_reading import read_source
from services.spotter.recorded_frames import Recording, RecordingFacts
from shared.spotting.events import SpottedEvent

BOX = np.array([[40.0, 30.0, 60.0, 56.0]])
SIZE = (200, 100)


class DrawnRecording(Recording):
    """Frames of noise, or one picture, at given times. `starts` has where reading began."""

    def __init__(self, seconds: NDArray[np.float64], picture: NDArray[np.uint8] | None = None) -> None:
        size = SIZE if picture is None else (picture.shape[1], picture.shape[0])
        super().__init__(RecordingFacts("long.mp4", len(seconds), 30.0, float(seconds[-1]), size))
        self.seconds, self.picture = seconds, picture
        self.starts: list[float] = []

    def _read_pixels(self, start: float) -> Iterator[tuple[int, float, NDArray[np.uint8]]]:
        self.starts.append(start)
        for index in range(int(np.searchsorted(self.seconds, start)), len(self.seconds)):
            yield index, float(self.seconds[index]), draw_frame(index) if self.picture is None else self.picture


def draw_frame(index: int) -> NDArray[np.uint8]:
    return np.random.default_rng(index).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)


def spotted(onset: float, apex: float, offset: float) -> SpottedEvent:
    return SpottedEvent(onset, apex, offset, "micro", 0.01, 2.0, ("left brow",))


def plan(event: SpottedEvent, seconds: NDArray[np.float64], first: int = 0) -> PlannedClip:
    count = len(seconds)
    path = FacePath(np.arange(first, first + count), seconds, np.repeat(BOX, count, axis=0), SIZE)
    return plan_clip(event, "long", 2, path)


def test_the_clip_begins_and_ends_at_rest_and_has_the_frames_of_the_recording() -> None:
    recording = DrawnRecording(np.arange(100) / 30)
    (clip,) = read_clips([plan(spotted(0.51, 0.66, 0.81), recording.seconds)], recording)
    assert (clip.sample.onset, clip.sample.apex, clip.sample.offset) == (15, 20, 25)
    assert clip.sample.identity == "long/face-2/event"
    assert clip.sample.fps == pytest.approx(30)
    source = read_source(clip.arrays)
    assert (source.onset, source.apex, source.offset, source.times) == (0, 5, 10, None)
    names, frames = zip(*source.read_frames(), strict=True)
    assert names[0] == "long.mp4 frame 15"
    assert len(frames) == 11
    room = 0.75 * 26
    left, top, right, bottom = int(40 - room), int(30 - room), int(np.ceil(60 + room)), int(np.ceil(56 + room))
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame, draw_frame(15 + index)[top:bottom, left:right])
    assert source.face == f"{50 - left} {43 - top}"


def test_a_clip_keeps_within_its_segment() -> None:
    seconds = np.arange(50, 60) / 30
    planned = plan(spotted(50 / 30, 55 / 30, 59.8 / 30), seconds, first=50)
    assert (planned.frames[0], planned.apex, planned.frames[-1]) == (50, 5, 59)
    planned = plan(spotted(1.0, 1.0, 9.0), seconds, first=50)
    assert (planned.frames[0], planned.apex, planned.frames[-1]) == (50, 1, 59)


def test_frames_that_several_clips_need_are_read_once_and_a_far_event_is_sought() -> None:
    recording = DrawnRecording(np.arange(900) / 30)
    events = [spotted(1.0, 1.2, 1.4), spotted(1.1, 1.5, 3.0), spotted(4.0, 4.2, 4.4), spotted(20.0, 20.2, 20.4)]
    plans = [plan(event, recording.seconds) for event in events]
    clips = list(read_clips(plans, recording))
    assert recording.starts == pytest.approx([1.0, 20.0], abs=1e-3)
    assert [clip.sample.onset for clip in clips] == [30, 33, 120, 600]
    for clip in clips:
        for (name, frame), number in zip(read_source(clip.arrays).read_frames(), clip.arrays["numbers"], strict=True):
            assert name == f"long.mp4 frame {number}"
            assert frame.shape == (66, 60, 3)


def test_a_long_event_is_thinned_evenly_and_keeps_its_apex() -> None:
    frames = choose_frames(100, 433, 900, 1000)
    assert frames.step == 7
    assert 433 in frames
    assert frames[0] <= 100
    assert frames[-1] >= 900
    assert len(frames) <= MOST_FRAMES + 1
    assert choose_frames(0, 433, 999, 1000)[0] >= 0
    assert choose_frames(0, 433, 999, 1000)[-1] <= 999
    assert choose_frames(15, 20, 25, 100) == range(15, 26)


def test_an_uneven_recording_keeps_the_times_of_its_frames() -> None:
    steps = np.where(np.arange(100) % 3 == 0, 0.05, 0.025)
    recording = DrawnRecording(np.cumsum(steps) - steps[0])
    (clip,) = read_clips([plan(spotted(1.0, 1.2, 1.4), recording.seconds)], recording)
    times = read_source(clip.arrays).times
    assert times is not None
    chosen = recording.seconds[clip.sample.onset : clip.sample.offset + 1]
    np.testing.assert_allclose(times, chosen - chosen[0])
    assert clip.sample.fps == pytest.approx((len(chosen) - 1) / (chosen[-1] - chosen[0]))


def test_a_large_face_is_shrunk() -> None:
    frame = np.zeros((2000, 2000, 3), np.uint8)
    boxes = np.repeat([[500.0, 500.0, 1300.0, 1300.0]], 30, axis=0)
    path = FacePath(np.arange(30), np.arange(30) / 30, boxes, (2000, 2000))
    planned = plan_clip(spotted(0.1, 0.2, 0.3), "long", 1, path)
    assert planned.region.scale == 0.5
    assert planned.region[:4] == (0, 0, 1900, 1900)
    assert planned.face == (450, 450)

    (clip,) = read_clips([planned], DrawnRecording(np.arange(30) / 30, frame))
    assert next(read_source(clip.arrays).read_frames())[1].shape == (950, 950, 3)
