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
SKINS: tuple[action_units.SkinModel, ...] = ("patches", "connected")
MODELLED = [(skin, number) for skin in SKINS for number in action_units.AU_NUMBERS if (skin, number) != ("patches", 24)]


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    points = portrait.neutral_portrait().landmarks
    return (points - points.mean(0)) * 0.345 + [160, 130]


def both_sides(face: np.ndarray, number: int, skin: action_units.SkinModel = "connected") -> np.ndarray:
    sides = ("",) if number in action_units.MIDLINE_AUS else ("L", "R")
    return np.sum([action_units.displacement_field(face, number, side, SHAPE, skin) for side in sides], axis=0)


def at(field: np.ndarray, landmarks: np.ndarray, index: int) -> np.ndarray:
    x, y = np.round(landmarks[index]).astype(int)
    return field[y, x]


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize(("number", "landmark", "right", "down"), DIRECTIONS)
def test_direction(
    face: np.ndarray, number: int, landmark: int, right: int, down: int, skin: action_units.SkinModel
) -> None:
    moved = at(action_units.displacement_field(face, number, "R", SHAPE, skin), face, landmark)
    assert np.linalg.norm(moved) > 0.2
    for component, sign in zip(moved, (right, down), strict=True):
        assert component * sign > 0.1 if sign else abs(component) < 0.5 * np.abs(moved).max()


@pytest.mark.parametrize("number", sorted(set(action_units.AU_NUMBERS) - action_units.MIDLINE_AUS))
def test_the_left_side_is_the_right_half_of_the_picture(face: np.ndarray, number: int) -> None:
    middle = int(face[27:31, 0].mean())
    for side, half in (("L", np.s_[:, middle:]), ("R", np.s_[:, :middle])):
        strength = np.linalg.norm(action_units.displacement_field(face, number, side, SHAPE), axis=-1)
        assert strength[half].sum() > 0.85 * strength.sum()


@pytest.mark.parametrize(("skin", "number"), MODELLED)
def test_the_longest_vector_is_one_and_both_sides_together_are_hardly_longer(
    face: np.ndarray, skin: action_units.SkinModel, number: int
) -> None:
    side = "" if number in action_units.MIDLINE_AUS else "L"
    one = action_units.displacement_field(face, number, side, SHAPE, skin)
    assert np.linalg.norm(one, axis=-1).max() == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(both_sides(face, number, skin), axis=-1).max() < 1.1


def test_parting_lips_leave_each_other_and_the_corners_stay(face: np.ndarray) -> None:
    field = action_units.displacement_field(face, 25, "", SHAPE)
    assert at(field, face, 51)[1] < -0.1
    assert at(field, face, 57)[1] > 0.1
    assert np.abs(at(field, face, 48)).max() < 0.15


def test_chin_and_lower_lip_rise_together(face: np.ndarray) -> None:
    field = action_units.displacement_field(face, 17, "", SHAPE)
    assert at(field, face, 57)[1] < -0.3
    assert field[int(face[8, 1]) - 20, int(face[8, 0]), 1] < -0.5


def test_lips_that_press_meet_and_the_corners_stay(face: np.ndarray) -> None:
    field = action_units.displacement_field(face, 24, "", SHAPE)
    assert at(field, face, 51)[1] > 0.3
    assert at(field, face, 57)[1] < -0.3
    assert abs(at(field, face, 62)[1]) < 0.25  # the line where they meet
    assert np.abs(at(field, face, 48)).max() < 0.15
    with pytest.raises(KeyError):
        action_units.displacement_field(face, 24, "", SHAPE, "patches")


def test_a_connected_brow_rises_as_a_whole_and_takes_the_forehead_along(face: np.ndarray) -> None:
    """Two patches leave a dip between them, pull the lid along, and leave the forehead behind."""
    raised = {skin: both_sides(face, 1, skin) + both_sides(face, 2, skin) for skin in SKINS}
    rises = {skin: np.array([-at(raised[skin], face, landmark)[1] for landmark in range(18, 22)]) for skin in SKINS}
    assert np.ptp(rises["connected"]) < 0.15
    assert np.ptp(rises["patches"]) > 0.25
    assert -at(raised["connected"], face, 37)[1] < 0.15 < -at(raised["patches"], face, 37)[1]
    eye = action_units.FaceAxes.from_landmarks(face).eye_distance
    for number in (1, 4):
        above = [abs(at(both_sides(face, number, skin), face - [0, 0.3 * eye], 20)[1]) for skin in SKINS]
        assert above[1] > 1.4 * above[0] > 0.1
        assert np.abs(at(both_sides(face, number), face - [0, 0.7 * eye], 20)).max() < 1e-3


def test_a_connected_smile_lifts_the_corner_and_stretches_the_cheek(face: np.ndarray) -> None:
    eye = action_units.FaceAxes.from_landmarks(face).eye_distance
    patches, connected = (action_units.displacement_field(face, 12, "R", SHAPE, skin) for skin in SKINS)
    assert at(connected, face, 48)[1] < at(patches, face, 48)[1] < -0.6
    cheek = face + eye * np.array([-0.25, -0.05])
    assert at(connected, cheek, 48)[0] < 1.25 * at(patches, cheek, 48)[0] < -0.3
    assert np.abs(at(connected, face, 30)).max() < 0.05  # the nose rests


@pytest.mark.parametrize("number", action_units.AU_NUMBERS)
def test_the_skin_rests_beyond_the_box_that_is_drawn(face: np.ndarray, number: int) -> None:
    """`true_motion` cuts the fields off there; a step would be seen."""
    eye = action_units.FaceAxes.from_landmarks(face).eye_distance
    length = np.linalg.norm(both_sides(face, number), axis=-1)
    left, top = np.floor(face.min(0) - eye * np.array([0.3, 0.75])).astype(int).clip(0)
    right, bottom = np.ceil(face.max(0) + eye * np.array([0.3, 0.75])).astype(int)
    length[top + 1 : bottom - 1, left + 1 : right - 1] = 0
    assert length.max() < 0.02


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
