"""The frames of a long video show what its events say, when they say it."""

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from merstream.synth.difficulty import Difficulty
from merstream.synth.identity import Identity
from merstream.synth.long_events import LongVideoSettings, VideoEvent
from merstream.synth.long_video import LongVideo, compose_long_video, draw_long_video

SIZE = (240, 320)
QUIET = Difficulty(noise=0, flicker=0, head_motion=0, head_rotation=0)
STILL = LongVideoSettings(sway_px=0, sway_degrees=0)
FPS = 100


@cache
def person() -> Identity:
    return compose_long_video(3, 1, size=SIZE).person


def acted(*events: VideoEvent, fps: float = FPS, difficulty: Difficulty = QUIET, seconds: float = 2.0) -> LongVideo:
    video = compose_long_video(3, 1, seconds=seconds, fps=fps, size=SIZE, difficulty=difficulty, settings=STILL)
    video = replace(video, events=events)
    video.__dict__["person"] = person()  # drawn once for all tests
    return video


def expression(*units: tuple[str, float], kind: str = "micro", at: float = 0.505, length: float = 0.3) -> VideoEvent:
    times = (at, at + 0.4 * length, at + length)
    return VideoEvent(kind, times, (0.0, 1.0, 0.0), times[1], units=units)  # type: ignore[arg-type]


def blink(side: str = "both") -> VideoEvent:
    closed = {"both": "LR", "left": "L", "right": "R"}[side]
    return VideoEvent("blink", (0.505, 0.605, 0.645, 0.805), (0, 1, 1, 0), 0.625, side, closed=closed)  # type: ignore[arg-type]


def speech() -> VideoEvent:
    return VideoEvent("speech", (0.505, 0.635, 0.745, 0.885, 1.005), (0, 0.6, 0.1, 1.0, 0), 0.885, opening=0.08)


def differences(event: VideoEvent) -> NDArray[np.float64]:
    """[T] mean absolute difference, grey levels, of each frame with the event and without, at 100 frames/s."""
    video, rest = acted(event), acted().draw_frame(0).astype(float)
    return np.array([np.abs(video.draw_frame(index) - rest).mean() for index in range(40, 110)])


@pytest.mark.parametrize(
    "event",
    [
        expression(("12L", 2.0), ("12R", 1.6)),
        expression(("4L", 8.0), ("4R", 7.0), kind="macro"),
        expression(("2R", 1.0)),
        blink(),
        speech(),
    ],
    ids=["micro", "macro", "one-sided", "blink", "speech"],
)
def test_frames_change_from_onset_to_offset_and_most_at_the_apex(event: VideoEvent) -> None:
    changed = differences(event)
    frames = np.flatnonzero(changed) + 40
    assert frames[0] / FPS == pytest.approx(event.onset, abs=0.045)  # rounding to grey levels hides a slow start
    assert frames[0] / FPS >= event.onset
    assert frames[-1] / FPS == pytest.approx(event.offset, abs=0.045)
    assert frames[-1] / FPS <= event.offset
    assert (np.argmax(changed) + 40) / FPS == pytest.approx(event.apex, abs=0.0251)


def test_a_unit_moves_the_skin_by_its_peak() -> None:
    event = expression(("12R", 7.0), kind="macro")
    video, rest = acted(event), acted()
    apex = video.nearest_frame(event.apex)
    way = video.find_landmarks(apex) - rest.find_landmarks(apex)
    assert np.hypot(*way[48]) == pytest.approx(3.5, abs=0.8)  # half the frame's size; the mouth's right corner
    assert way[48, 0] < 0
    assert way[48, 1] < 0
    assert np.abs(way[54]).max() < 0.2
    x, y = video.map_pixels(video.state_at(event.apex))
    start_x, start_y = video.map_pixels(video.state_at(0))
    assert np.hypot(x - start_x, y - start_y).max() == pytest.approx(3.5, rel=0.02)


def test_flow_between_the_frames_finds_the_true_motion() -> None:
    event = expression(("12R", 6.0), ("12L", 5.0), ("1R", 6.0), kind="macro")
    video = acted(event)
    first, second = (cv2.cvtColor(video.draw_frame(index), cv2.COLOR_RGB2GRAY) for index in (0, 63))
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = search.calc(second, first, None)  # type: ignore[call-overload]
    true = np.stack(video.map_pixels(video.state_at(0.63)), -1) - np.stack((video.warp.x, video.warp.y), -1)
    for part in (np.s_[:130], np.s_[130:]):  # the brow; the mouth
        assert (flow[part] * true[part]).sum() / (true[part] ** 2).sum() == pytest.approx(1, abs=0.25)


def test_a_blink_hides_the_whole_eye_and_a_wink_one_of_them() -> None:
    """The eyeballs of this person are painted green: no green is left when the eyes are shut."""
    landmarks = person().landmarks
    painted = person().image.copy()
    for eye in (landmarks[36:42], landmarks[42:48]):
        eyeball = np.zeros(painted.shape[:2], np.uint8)
        cv2.fillPoly(eyeball, [np.round((eye + 0.5) * 2 - 0.5).astype(np.int32)], 1)
        painted[cv2.erode(eyeball, np.ones((3, 3))) > 0] = (0, 255, 0)  # filled polygons have their edge in them
    middle = int(landmarks[27, 0])

    def count_green(video: LongVideo, seconds: float) -> tuple[int, int]:
        video.__dict__["person"] = Identity(painted, landmarks)
        red, green, _ = np.moveaxis(video.draw_frame(video.nearest_frame(seconds)).astype(int), -1, 0)
        seen = green > red + 60
        return int(seen[:, :middle].sum()), int(seen[:, middle:].sum())

    right, left = count_green(acted(blink()), 0.0)
    assert min(right, left) > 80
    assert count_green(acted(blink()), 0.625) == (0, 0)
    half = count_green(acted(blink()), 0.555)
    assert all(0.2 < now / whole < 0.8 for now, whole in zip(half, (right, left), strict=True))
    assert count_green(acted(blink("left")), 0.625) == (right, 0)
    assert count_green(acted(blink()), 0.9) == (right, left)


def test_a_lid_that_comes_down_hides_the_eyeball_and_does_not_move_it() -> None:
    video = acted(blink())
    rest, half = video.draw_frame(0).astype(int), video.draw_frame(video.nearest_frame(0.555)).astype(int)
    for eye in (person().landmarks[36:42], person().landmarks[42:48]):
        x, y = np.round([eye[:, 0].mean(), eye[4:, 1].mean() - 1]).astype(int)  # above the lower lid's edge
        assert np.abs(half[y, x - 3 : x + 4] - rest[y, x - 3 : x + 4]).max() <= 1
    assert np.abs(half - rest).max() > 40


def test_lips_part_as_far_as_the_truth_says() -> None:
    video = acted(speech())
    rest, loud = (video.draw_frame(index).astype(int).sum(-1) for index in (0, video.nearest_frame(0.885)))
    x, y = np.round(person().landmarks[62]).astype(int)
    opening = 0.08 * video.eyes[0].face.eye_distance
    columns = np.s_[y - 8 : y + 12, x - 4 : x + 5]
    dark = [np.mean((frame[columns] < 300).sum(0)) for frame in (rest, loud)]
    assert dark[1] - dark[0] == pytest.approx(opening, abs=1.0)
    chin = video.find_landmarks(video.nearest_frame(0.885))[8] - person().landmarks[8]
    assert 0.4 * opening < chin[1] < 0.8 * opening


def test_a_one_sided_expression_leaves_the_other_side_alone() -> None:
    video = acted(expression(("12L", 2.0), ("6L", 1.5)))
    changed = np.abs(video.draw_frame(62).astype(int) - video.draw_frame(0)).sum(-1)
    middle = int(person().landmarks[27, 0])
    assert changed[:, middle:].sum() > 50 * changed[:, :middle].sum()


def test_a_posture_shift_moves_rolls_and_turns_the_head_by_its_truth_and_stays() -> None:
    after = (8.0, 4.0, np.deg2rad(2.0), np.deg2rad(4.0), 0.0)
    video = acted(VideoEvent("posture", (0.5, 1.5), (0.0, 1.0), 1.0, before=(0.0,) * 5, after=after))
    start, middle, end, later = (video.find_landmarks(index) for index in (40, 100, 150, 190))
    np.testing.assert_allclose(end, later, atol=1e-6)
    np.testing.assert_allclose(start, person().landmarks, atol=1e-3)
    shift = end - start
    centre = person().landmarks.mean(0)
    roll = np.deg2rad(2.0)
    matrix = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    beyond = end - ((start - centre) @ matrix.T + centre)
    assert beyond[27] == pytest.approx((4.0, 2.0), abs=0.15)  # half the frame's size; no depth between the eyes
    eyes = [places[42:48].mean(0) - places[36:42].mean(0) for places in (start, end)]
    turned = np.rad2deg(np.subtract(*[np.arctan2(line[1], line[0]) for line in eyes[::-1]]))
    assert turned == pytest.approx(2.0, abs=0.1)
    assert beyond[30, 0] - beyond[27, 0] == pytest.approx(0.33 * np.deg2rad(4.0) * 54, abs=0.2)  # the nose goes ahead
    assert np.abs((middle - start) - shift / 2).max() < 0.6


def test_light_gets_brighter_by_its_factor_and_stays() -> None:
    event = VideoEvent("light", (0.5, 1.0), (0.0, 1.0), 0.75, before=(1.0, 0.0), after=(0.9, 0.0))
    video = acted(event)
    before, between, after, later = (video.draw_frame(index).mean() for index in (10, 75, 100, 180))
    assert after / before == pytest.approx(0.9, abs=0.003)
    assert between / before == pytest.approx(0.95, abs=0.003)
    assert later == after


@pytest.mark.parametrize("other", [25, 200])
def test_every_frame_rate_films_the_same_events(other: float) -> None:
    slow, fast = (compose_long_video(3, 1, seconds=30, fps=fps, size=SIZE) for fps in (50, other))
    assert slow.events == fast.events
    assert (slow.frame_count, fast.frame_count) == (1500, 30 * other)
    quiet = [acted(expression(("12L", 2.0)), fps=fps) for fps in (50, other)]
    for seconds in (0.52, 0.6, 0.64):
        first, second = (video.draw_frame(video.nearest_frame(seconds)) for video in quiet)
        np.testing.assert_array_equal(first, second)


def test_frames_do_not_depend_on_those_drawn_before() -> None:
    video = acted(blink(), difficulty=Difficulty())
    frames = list(draw_long_video(replace(video, seconds=0.05)))
    assert (len(frames), frames[0].shape, frames[0].dtype) == (5, (*SIZE, 3), np.uint8)
    np.testing.assert_array_equal(video.draw_frame(3), frames[3])
    assert np.abs(frames[3].astype(int) - frames[4]).max() > 0  # the noise differs
    other = replace(video, seed=4)
    other.__dict__["person"] = person()
    assert np.abs(other.draw_frame(3).astype(int) - frames[3]).mean() > 0.3


def test_a_video_holds_one_frame_at_a_time() -> None:
    alive, most = 0, 0

    def count_alive(frames: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        nonlocal alive, most

        def forget() -> None:
            nonlocal alive
            alive -= 1

        for frame in frames:
            alive += 1
            weakref.finalize(frame, forget)
            most = max(most, alive)
            yield frame

    for _ in count_alive(draw_long_video(acted(seconds=0.3))):
        pass
    gc.collect()
    assert most <= 3


def test_uneven_frames_go_forward_and_show_their_own_time() -> None:
    video = replace(acted(fps=29.97, seconds=20), variable=True)
    times = np.array([video.seconds_of(index) for index in range(video.frame_count)])
    assert times[0] == 0
    steps = np.diff(times) * 29.97
    assert steps.min() > 0.35
    assert steps.max() < 1.65
    assert steps.std() > 0.1
    for seconds in (0.0, 3.33, 7.77, 25.0):
        assert video.nearest_frame(seconds) == np.argmin(np.abs(times - seconds))
    event = expression(("12L", 2.0))
    moving = replace(acted(event), variable=True)
    moving.__dict__["person"] = person()
    index = moving.nearest_frame(0.6)
    level = event.level_at(moving.seconds_of(index))
    assert moving.state_at(moving.seconds_of(index)).weights == pytest.approx([level * 1.0])


def test_constant_rates_have_exact_stamps() -> None:
    for fps in (25, 29.97, 30, 59.94, 60, 200):
        video = compose_long_video(0, 1, seconds=5, fps=fps, size=SIZE)
        assert video.seconds_of(100) == pytest.approx(100 / fps, abs=1e-12)


def test_no_planned_expression_folds_the_skin() -> None:
    video = compose_long_video(11, 2, seconds=180, size=(120, 160), settings=STILL)
    for event in video.events:
        if event.kind in ("micro", "macro"):
            x, y = video.map_pixels(replace(video.state_at(event.apex), opening=0.0))
            area = np.gradient(x, axis=1) * np.gradient(y, axis=0) - np.gradient(x, axis=0) * np.gradient(y, axis=1)
            assert area[3:-3, 3:-3].min() > 0
