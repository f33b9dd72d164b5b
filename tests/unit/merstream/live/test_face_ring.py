"""The last seconds of a face: on one grid of pixels, bounded in time and bytes, and a clip of an event."""

import cv2
import numpy as np
import pytest

from merstream.live import face_ring
from merstream.live.face_ring import FaceRing
from services.ingest.source_reading import read_source
from services.spotter.event_clips import read_clips
from services.spotter.recorded_frames import RecordedFrame
from shared.spotting.events import SpottedEvent

NOISE = np.random.default_rng(3).integers(0, 255, (240, 320, 3)).astype(np.uint8)
EVENT = SpottedEvent(1.0, 1.2, 1.5, "micro", 0.02, 3.0, ("chin",))


def fill_ring(seconds: float, rate: float = 10, step: float = 0.0, side: float = 80.0) -> FaceRing:
    """A ring after some seconds of a face whose box moves to the right by `step` px a frame."""
    ring = FaceRing()
    for index in range(round(seconds * rate)):
        left = 100 + step * index
        box = np.array([left, 90.0, left + side, 90 + side])
        ring.add_frame(RecordedFrame(index, index / rate, NOISE), box, 0.9)
    return ring


def test_what_is_older_than_the_longest_event_makes_room() -> None:
    ring = fill_ring(30)
    assert ring.pictures[0].seconds == pytest.approx(29.9 - face_ring.KEPT_SECONDS)
    assert ring.bytes == sum(picture.pixels.nbytes for picture in ring.pictures)


def test_memory_is_bounded_at_any_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_ring, "MOST_BYTES", 3_000_000)
    ring = fill_ring(1, rate=200)
    assert ring.bytes <= 3_000_000
    assert len(ring.pictures) < 200


def test_pictures_of_a_face_that_wanders_show_the_frame_pixel_by_pixel() -> None:
    ring = fill_ring(2, step=1.3)
    clip = ring.cut_clip(EVENT, "camera 0", 1)
    assert clip is not None
    for picture, frame in zip(clip.frames._pictures, clip.frames.read_frames(), strict=True):
        rows, columns = picture.pixels.shape[:2]
        part = np.s_[picture.top : picture.top + rows, picture.left : picture.left + columns]
        assert (frame.pixels[part] == NOISE[part]).all()
        assert columns >= 80 * (1 + 2 * face_ring.ROOM)


def test_a_large_face_is_shrunk_by_a_whole_number() -> None:
    ring = FaceRing()
    frame = np.repeat(np.repeat(NOISE, 3, 0), 3, 1)  # every px three times
    for index in range(20):
        ring.add_frame(RecordedFrame(index, index / 10, frame), np.array([100.0, 60, 820, 710]), 0.9)
    assert (ring.shrink, ring.size) == (3, (320, 240))
    clip = ring.cut_clip(EVENT, "camera 0", 1)
    assert clip is not None
    assert (next(clip.frames.read_frames()).pixels == NOISE).all()


def test_the_clip_of_an_event_has_its_frames_as_ingest_reads_them() -> None:
    clip = fill_ring(2).cut_clip(EVENT, "camera 0", 3)
    assert clip is not None
    packed = next(read_clips([clip.plan], clip.frames))
    assert packed.sample.subject == "face-3"
    assert packed.arrays["numbers"].tolist() == list(range(10, 16))
    first = packed.arrays["data"][: packed.arrays["ends"][0]]
    shown = cv2.imdecode(first, cv2.IMREAD_COLOR_RGB)
    left, top, right, bottom, _ = clip.plan.region
    assert (shown == NOISE[top:bottom, left:right]).all()
    assert read_source(packed.arrays).length == 6


def test_an_event_whose_first_frames_are_gone_has_no_clip() -> None:
    assert fill_ring(30).cut_clip(EVENT, "camera 0", 1) is None
