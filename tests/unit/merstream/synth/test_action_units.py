"""Each action unit pulls the skin at the place and on the side that the Facial Action Coding System names."""

import numpy as np
import pytest

from merstream.synth import action_units, portrait, portrait_outlines

SHAPE = (240, 320)
# AU, landmark on the person's right side (the picture's left), its outer-left/right and up/down motion (signs)
DIRECTIONS = [
    (1, 21, 0, -1),
    (2, 17, 0, -1),
    (4, 21, 1, 1),
    (5, 37, 0, -1),
    (6, 41, 0, -1),
    (7, 41, 0, -1),
    (9, 31, 0, -1),
    (10, 50, 0, -1),
    (12, 48, -1, -1),
    (14, 48, 1, 0),
    (15, 48, 0, 1),
    (20, 48, -1, 0),
    (45, 37, 0, 1),
]


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    points = portrait.neutral_portrait().landmarks
    return (points - points.mean(0)) * 0.345 + [160, 130]


def at(field: np.ndarray, landmarks: np.ndarray, index: int) -> np.ndarray:
    x, y = np.round(landmarks[index]).astype(int)
    return field[y, x]


@pytest.mark.parametrize(("number", "landmark", "right", "down"), DIRECTIONS)
def test_direction(face: np.ndarray, number: int, landmark: int, right: int, down: int) -> None:
    moved = at(action_units.displacement_field(face, number, "R", SHAPE), face, landmark)
    assert np.linalg.norm(moved) > 0.2
    for component, sign in zip(moved, (right, down), strict=True):
        assert component * sign > 0.1 if sign else abs(component) < 0.5 * np.abs(moved).max()


@pytest.mark.parametrize("number", sorted(set(action_units.AU_NUMBERS) - action_units.MIDLINE_AUS))
def test_the_left_side_is_the_right_half_of_the_picture(face: np.ndarray, number: int) -> None:
    middle = int(face[27:31, 0].mean())
    for side, half in (("L", np.s_[:, middle:]), ("R", np.s_[:, :middle])):
        strength = np.linalg.norm(action_units.displacement_field(face, number, side, SHAPE), axis=-1)
        assert strength[half].sum() > 0.85 * strength.sum()


@pytest.mark.parametrize("number", action_units.AU_NUMBERS)
def test_the_longest_vector_is_one(face: np.ndarray, number: int) -> None:
    side = "" if number in action_units.MIDLINE_AUS else "L"
    assert np.linalg.norm(action_units.displacement_field(face, number, side, SHAPE), axis=-1).max() == pytest.approx(
        1, abs=1e-5
    )


def test_parting_lips_leave_each_other_and_the_corners_stay(face: np.ndarray) -> None:
    field = action_units.displacement_field(face, 25, "", SHAPE)
    assert at(field, face, 51)[1] < -0.1
    assert at(field, face, 57)[1] > 0.1
    assert np.abs(at(field, face, 48)).max() < 0.15


def test_chin_and_lower_lip_rise_together(face: np.ndarray) -> None:
    field = action_units.displacement_field(face, 17, "", SHAPE)
    assert at(field, face, 57)[1] < -0.3
    assert field[int(face[8, 1]) - 20, int(face[8, 0]), 1] < -0.5


@pytest.mark.parametrize("number", action_units.AU_NUMBERS)
def test_three_pixels_do_not_fold_the_face(face: np.ndarray, number: int) -> None:
    """At the rendering scale the map stays one to one up to the bound that the settings name."""
    large = 2 * face + 0.5
    field = 3 * action_units.displacement_field(
        large, number, "" if number in action_units.MIDLINE_AUS else "R", (480, 640)
    )
    gradient = max(float(np.abs(np.gradient(field[..., i], axis=1 - i)).max()) for i in (0, 1))
    assert gradient < 1


def test_an_unknown_unit_is_refused(face: np.ndarray) -> None:
    with pytest.raises(KeyError):
        action_units.displacement_field(face, 99, "L", (48, 64))


def test_contours_go_from_left_to_right() -> None:
    for name in ("CLOSED_LINE", "SMILE_INNER_UPPER", "SMILE_INNER_LOWER"):
        assert (np.diff(getattr(portrait_outlines, name)[:, 0]) > 0).all()
