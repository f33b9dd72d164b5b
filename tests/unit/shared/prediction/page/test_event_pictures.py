"""The pictures of an event: what they show, and that a page without faces owes nothing to a frame."""

import base64
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.prediction.page.event_pictures import PORTRAIT_WIDTH, draw_event_pictures, draw_portrait, find_face_window
from tests.unit.merstream.prediction import drawn_prediction as drawn


def decode(uri: str) -> NDArray[Any]:
    assert uri.startswith("data:image/webp;base64,")
    data = np.frombuffer(base64.b64decode(uri.split(",")[1]), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1]


def test_without_faces_nothing_depends_on_the_frames() -> None:
    one, other = (draw_event_pictures(drawn.draw_artifacts(light=light, seed=light), 0.4, False) for light in (60, 200))
    assert one == other
    assert one.film is None
    assert one.arrows.background == ""
    assert len(one.arrows.lines) == 9


def test_with_faces_the_pictures_depend_on_the_frames() -> None:
    one, other = (draw_event_pictures(drawn.draw_artifacts(light=light), 0.4, True) for light in (60, 200))
    assert one.flow != other.flow
    assert one.arrows.background != other.arrows.background
    assert one.film != other.film


@pytest.mark.parametrize("faces", [True, False])
def test_arrows_point_where_the_rois_move(faces: bool) -> None:
    arrows = draw_event_pictures(drawn.draw_artifacts(up=2.0), 0.4, faces).arrows
    assert len(arrows.starts) == len(arrows.ends) == 30
    unit = 100.0 / drawn.EYES if not faces else 1.0
    for (x0, y0), (x1, y1) in zip(arrows.starts, arrows.ends, strict=True):
        assert x1 - x0 == pytest.approx(0, abs=0.11)
        assert y1 - y0 == pytest.approx(-2 * unit * arrows.longer, rel=0.01)
    assert arrows.largest == pytest.approx(2 / drawn.EYES, rel=5e-3)
    assert all(0 <= x <= arrows.width and 0 <= y <= arrows.height for x, y in arrows.starts)


def test_arrows_start_at_the_landmarks_of_the_picture() -> None:
    arrows = draw_event_pictures(drawn.draw_artifacts(), 0.4, True).arrows
    rows, columns = find_face_window(drawn.LANDMARKS, (drawn.ROWS, drawn.COLUMNS, 3))
    expected = drawn.LANDMARKS[17] - [columns.start, rows.start]
    assert arrows.starts[0] == (pytest.approx(expected[0], abs=0.06), pytest.approx(expected[1], abs=0.06))
    assert decode(arrows.background).shape == (int(arrows.height), int(arrows.width), 3)


def test_the_flow_has_the_colour_of_its_direction() -> None:
    red, green, blue = decode(draw_event_pictures(drawn.draw_artifacts(up=2.0), 0.4, False).flow).mean((0, 1))
    assert blue > 180  # upwards is between blue and magenta
    assert red > 100 > green


def test_the_film_has_marks_and_all_frames_recorded_and_magnified() -> None:
    film = draw_event_pictures(drawn.draw_artifacts(light=120), 0.4, True).film
    assert film is not None
    width, height = film.cell
    sheet = decode(film.uri)
    assert sheet.shape == (4 * height, 9 * width, 3)
    means = sheet.reshape(4, height, 9, width, 3).mean((1, 3, 4))
    np.testing.assert_allclose(means[0], [120] * 3 + [0] * 6, atol=4)
    np.testing.assert_allclose(means[1], [60] * 3 + [0] * 6, atol=4)
    np.testing.assert_allclose(means[2], 120, atol=4)
    np.testing.assert_allclose(means[3], 60, atol=4)
    assert film.factor == 2.0
    np.testing.assert_allclose(film.times, np.arange(9) / 8 * 0.4)


def test_small_motion_is_pale() -> None:
    strong, weak = (draw_event_pictures(drawn.draw_artifacts(up=up), 0.4, False) for up in (2.0, 0.05))
    assert decode(weak.flow).min() > 200 > decode(strong.flow).min()
    assert weak.full_flow == pytest.approx(0.02)
    assert strong.full_flow == pytest.approx(2 / drawn.EYES, rel=5e-3)


def test_eyes_that_look_elsewhere_do_not_pale_the_rest() -> None:
    held = drawn.draw_artifacts(up=2.0)
    held.flow["flows"][:, :4, 0, 46:54, 36:42] = 10.0
    assert draw_event_pictures(held, 0.4, False).full_flow == pytest.approx(2 / drawn.EYES, rel=5e-3)


def test_the_portrait_is_the_onset() -> None:
    portrait = draw_portrait(drawn.draw_artifacts(light=120))
    assert portrait.shape[1] == PORTRAIT_WIDTH
    assert abs(float(portrait.mean()) - 120) < 2
