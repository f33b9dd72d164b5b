"""The meter on drawn faces whose motion is known."""

import pickle

import numpy as np
import pytest

from merstream.synth.long_events import VideoEvent
from merstream.synth.long_video import LongVideo, compose_long_video
from shared.face_mesh import FaceMesh, MeshTracker
from shared.spotting.motion_meter import FASTEST, MotionMeter, join_rows, pack_rows, unpack_rows
from shared.spotting.regions import REGION_INDEX

Frame = tuple[np.ndarray, FaceMesh, float]


def draw_frames(units: tuple[tuple[str, float], ...], head: tuple[float, ...] = (0.0,) * 5) -> list[Frame]:
    """A second of a face that rests, moves (units, px of 480 rows) and rests again, while the head goes away."""
    events = [VideoEvent("micro", (0.3, 0.5, 0.7), (0.0, 1.0, 0.0), 0.5, units=units)]
    events.append(VideoEvent("posture", (0.2, 0.8), (0.0, 1.0), 0.5, before=(0.0,) * 5, after=head))
    plain = compose_long_video(5, 1, seconds=1.0, fps=15.0, size=(320, 428))
    video = LongVideo(**{**vars_of(plain), "events": sorted(events, key=lambda event: event.onset)})
    tracker, frames = MeshTracker(), []
    for index in range(video.frame_count):
        pixels = video.draw_frame(index)
        mesh = tracker.follow_face(pixels)
        assert mesh is not None
        frames.append((pixels, mesh, video.seconds_of(index)))
    return frames


def vars_of(video: LongVideo) -> dict[str, object]:
    return {name: getattr(video, name) for name in video.__dataclass_fields__}


def measure(frames: list[Frame]) -> MotionMeter:
    meter = MotionMeter()
    for frame in frames:
        meter.add_frame(*frame)
    return meter


@pytest.fixture(scope="module")
def smile() -> list[Frame]:
    return draw_frames((("12L", 3.0), ("12R", 3.0)))


def test_a_smile_moves_the_corners_of_the_mouth_out_and_up(smile: list[Frame]) -> None:
    motion = measure(smile).finish()
    rest, apex = motion.displacement[[0, -1]].mean(0), motion.displacement[7]
    moved = apex - rest
    left, right = (moved[REGION_INDEX[f"{side} mouth corner"]] for side in ("left", "right"))
    assert left[0] > 0.004
    assert right[0] < -0.004
    assert max(left[1], right[1]) < -0.004
    brows = [index for name, index in REGION_INDEX.items() if "brow" in name]
    assert np.abs(moved[brows]).max() < 0.0025
    assert motion.noise[REGION_INDEX["glabella"]] < 0.001
    assert motion.eye_distance == pytest.approx(83, abs=4)


def test_a_head_that_shifts_rolls_and_turns_moves_no_region() -> None:
    head = (4.0, -2.0, np.deg2rad(2), np.deg2rad(3), np.deg2rad(-1.5))
    motion = measure(draw_frames((), head)).finish()
    moved = motion.displacement[-1] - motion.displacement[0]
    lids = [index for name, index in REGION_INDEX.items() if "lid" in name]
    assert np.abs(np.delete(moved, lids, 0)).max() < 0.0105  # the head itself moves by 0.05
    way = motion.head[-1] - motion.head[0]
    assert way[2:] == pytest.approx((2, 3, -1.5), abs=1)


def test_rows_may_be_taken_and_the_meter_stored_on_the_way(smile: list[Frame]) -> None:
    whole = measure(smile).finish()
    meter, rows = MotionMeter(), []
    for number, frame in enumerate(smile):
        meter.add_frame(*frame)
        if number == 6:
            rows += unpack_rows(pack_rows(meter.take_rows()))
            meter = pickle.loads(pickle.dumps(meter))
            assert meter.rows == []
    joined = join_rows(rows + meter.take_rows())
    for name in ("times", "displacement", "head", "lids", "mouth", "light"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))


def test_of_many_frames_a_second_some_are_left_out(smile: list[Frame]) -> None:
    meter = MotionMeter()
    for number, (pixels, mesh, _) in enumerate(smile[:9]):
        meter.add_frame(pixels, mesh, number / 200)
    times = np.array([row.seconds for row in meter.rows])
    np.testing.assert_allclose(times, [0, 0.015, 0.03])
    assert np.diff(times).min() > 0.9 / FASTEST


def test_a_meter_without_frames_says_so() -> None:
    with pytest.raises(ValueError, match="at least one"):
        MotionMeter().finish()
