"""The overlay's file: times, size, and what is drawn when."""

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from merstream.prediction.overlay import LONGEST_SIDE, write_overlay
from merstream.prediction.overlay_drawing import (
    ARROW_COLOUR,
    BOX_COLOUR,
    COLOURS,
    FaceCourse,
    OverlayPainter,
    describe_event,
    fit_schematic_face,
)
from shared.errors import BadData
from tests.unit.merstream.prediction import drawn_prediction as drawn

Pixels = NDArray[np.uint8]
FACES = drawn.follow_boxes()


def paint(seconds: float, faces: Sequence[FaceCourse] = FACES) -> Pixels:
    return OverlayPainter(drawn.PREDICTION).draw_frame(np.full((640, 960, 3), 60, np.uint8), faces, seconds, 10.0)


def has_colour(picture: Pixels, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(picture.astype(int) - colour).max(-1) < 3).any())


def read_video(file: Path) -> list[tuple[float, Pixels]]:
    with av.open(str(file)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
        return [(float(frame.time or 0), frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def test_the_frames_keep_their_times_and_their_pixels(tmp_path: Path) -> None:
    uneven = [0.0, 0.04, 0.1, 0.11, 0.5]
    frames = [
        drawn.DrawnFrame(at, np.full((65, 97, 3), 90 + 20 * number, np.uint8)) for number, at in enumerate(uneven)
    ]
    shown = read_video(write_overlay(frames, drawn.PREDICTION, [], tmp_path / "a.mp4"))
    np.testing.assert_allclose([at for at, _ in shown], uneven, atol=1e-4)
    assert {picture.shape for _, picture in shown} == {(64, 96, 3)}  # even
    for number, (_, picture) in enumerate(shown):
        assert abs(float(picture[:40].mean()) - (90 + 20 * number)) < 2
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


def test_one_time_twice_becomes_two_times(tmp_path: Path) -> None:
    frames = [drawn.DrawnFrame(1.0, np.zeros((32, 32, 3), np.uint8))] * 3
    assert len({at for at, _ in read_video(write_overlay(frames, drawn.PREDICTION, [], tmp_path / "a.mp4"))}) == 3


def test_a_large_frame_is_made_smaller(tmp_path: Path) -> None:
    frames = [drawn.DrawnFrame(0.0, np.full((1080, 3840, 3), 100, np.uint8))]
    ((_, picture),) = read_video(write_overlay(frames, drawn.PREDICTION, drawn.follow_boxes(), tmp_path / "a.mp4"))
    assert picture.shape == (540, LONGEST_SIDE, 3)


def test_few_frames_are_in_memory_at_a_time(tmp_path: Path) -> None:
    alive: list[weakref.ref[Pixels]] = []
    most = 0

    def draw_many() -> Iterator[drawn.DrawnFrame]:
        nonlocal most
        for number in range(120):
            pixels = np.full((64, 96, 3), number, np.uint8)
            alive.append(weakref.ref(pixels))
            most = max(most, sum(each() is not None for each in alive))
            yield drawn.DrawnFrame(number / 25, pixels)

    write_overlay(draw_many(), drawn.PREDICTION, drawn.follow_boxes(), tmp_path / "a.mp4")
    assert most <= 3


def test_a_face_is_asked_for_when_the_frames_have_come_to_it_and_forgotten_after_it(tmp_path: Path) -> None:
    alive: list[weakref.ref[NDArray[np.float64]]] = []
    asked: list[float] = []
    shown = [0.0]

    def follow() -> Iterator[FaceCourse]:
        for start in range(20):
            asked.append(shown[0])
            times = np.arange(start, start + 0.9, 0.1)
            boxes = np.tile([100.0, 60.0, 200.0, 160.0], (len(times), 1))
            alive.append(weakref.ref(boxes))
            yield FaceCourse(1, times, boxes)

    def draw() -> Iterator[drawn.DrawnFrame]:
        for number in range(200):
            shown[0] = number / 10
            assert sum(each() is not None for each in alive) <= 3
            yield drawn.DrawnFrame(number / 10, np.full((240, 320, 3), 90, np.uint8))

    found = read_video(write_overlay(draw(), drawn.PREDICTION, follow(), tmp_path / "a.mp4"))
    assert asked == pytest.approx([0, *range(19)], abs=0.2)
    assert all(picture[90:150, 100].max(-1).mean() > 130 for _, picture in found)


def test_a_recording_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"two faces\.mp4: expected at least one frame"):
        write_overlay([], drawn.PREDICTION, [], tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_the_box_has_the_colour_of_the_event_while_it_lasts() -> None:
    left, top = 80, 120  # of face 1
    before, during, after = (tuple(paint(at)[top + 100, left].tolist()) for at in (0.7, 1.0, 1.3))
    assert during == COLOURS["micro"]
    assert before == after == BOX_COLOUR


def test_a_flagged_event_does_not_colour_the_box() -> None:
    assert tuple(paint(2.0)[220, 80].tolist()) == BOX_COLOUR


def test_a_lost_face_is_not_drawn() -> None:
    assert tuple(paint(2.4)[220, 80].tolist()) == BOX_COLOUR
    assert tuple(paint(2.6)[220, 80].tolist()) == (60, 60, 60)
    assert tuple(paint(2.6)[220, 560].tolist()) == BOX_COLOUR


def test_arrows_show_the_motion_from_the_onset_on() -> None:
    assert has_colour(paint(1.0), ARROW_COLOUR)
    assert not has_colour(paint(0.81), ARROW_COLOUR)
    assert not has_colour(paint(1.0, [replace(face, motion=None) for face in FACES]), ARROW_COLOUR)


def test_the_label_stays_long_enough_to_be_read() -> None:
    below = slice(524 - 4, 560), slice(80, 400)
    empty = paint(0.7)[below]
    assert not np.array_equal(paint(1.7)[below], empty)  # 0.9 s after the onset of event 1
    assert np.array_equal(paint(1.79)[below], paint(1.7)[below])
    assert not np.array_equal(paint(1.81)[below], paint(1.7)[below])


def test_landmarks_are_drawn_where_they_are() -> None:
    (face, *_) = FACES
    points = np.tile(np.array([20.0, 30.0]), (len(face.times), 68, 1))
    assert tuple(paint(0.2, [replace(face, landmarks=points)])[300, 200].tolist()) == (255, 214, 0)


def test_the_bar_at_the_bottom_has_the_events_and_the_time() -> None:
    picture = paint(1.0)
    assert tuple(picture[-1, 202].tolist()) == COLOURS["micro"]  # 0.8 s of 4 s
    assert tuple(picture[-1, 720].tolist()) == COLOURS["macro"]  # 3 s
    assert tuple(picture[-4, 480].tolist()) != COLOURS["micro"]  # event 2 is flagged: thin
    assert tuple(picture[-1, 480].tolist()) == COLOURS["micro"]
    assert tuple(picture[-2, 240].tolist()) == (255, 255, 255)


def test_events_say_what_they_are() -> None:
    assert [describe_event(event) for event in drawn.EVENTS] == [
        "micro: positive 80 %",
        "micro? blink",
        "macro: positive 80 %",
    ]
    assert describe_event(drawn.predict_event(4, 1, 3.0)) == "micro"


def test_the_face_of_nobody_fills_the_box() -> None:
    points = fit_schematic_face(np.array([10, 20, 110, 140]))
    np.testing.assert_allclose([*points.min(0), *points.max(0)], [10, 20, 110, 140])
