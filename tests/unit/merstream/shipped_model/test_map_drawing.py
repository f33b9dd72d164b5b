"""Drawn maps: the same for the same seed, and each AU moves the right part of the face the right way."""

import numpy as np
import pytest

from merstream.shipped_model.drawn_face import DrawnFace, stretch_to_bytes
from merstream.shipped_model.expressions import (
    ANY_UNITS,
    EXPRESSIONS,
    SHARES,
    MovedSkin,
    draw_kinds,
    draw_moved_skin,
    mark_present_units,
)
from merstream.shipped_model.map_drawing import draw_maps_of_faces
from merstream.synth.identity import draw_face_shape
from services.trainer.recogniser.geometry import PUBLISHED_EYES
from services.trainer.recogniser.labels import FINE_CLASSES, NO_CLASS, SHIPPED_UNITS
from services.trainer.recogniser.training import NO_LABEL


@pytest.fixture(scope="module")
def face() -> DrawnFace:
    return DrawnFace(np.random.default_rng(0), draw_face_shape(3, 1))


def read_published(face: DrawnFace, unit: int, sides: str) -> np.ndarray:
    """The published map less its median, so that zero is rest."""
    motion = face.sum_fields([MovedSkin(unit, side, 1.0) for side in sides])
    made = face.read_published(np.random.default_rng(0), motion)
    return made - np.median(made, (-1, -2), keepdims=True)


def test_a_face_depends_on_seed_and_number_alone() -> None:
    both, second = draw_maps_of_faces(8, range(1, 3), 5), draw_maps_of_faces(8, range(2, 3), 5)
    for name in ("aligned", "published", "fine", "units"):
        assert np.array_equal(getattr(both, name)[5:], getattr(second, name))
    assert both.faces.tolist() == [1] * 5 + [2] * 5
    assert not np.array_equal(both.aligned[:5], both.aligned[5:])
    assert both.aligned.shape == both.published.shape == (10, 3, 28, 28)


def test_a_smile_lifts_the_corners_of_the_mouth_and_pulls_them_apart(face: DrawnFace) -> None:
    u, v, _ = face.read_aligned(face.sum_fields([MovedSkin(12, side, 1.0) for side in "LR"]))
    left, right = np.s_[18:21, 7:10], np.s_[18:21, 18:21]  # of the picture; the mouth's middle is at (14, 20.5)
    assert v[left].mean() < -0.2
    assert v[right].mean() < -0.2
    assert u[left].mean() < -0.1
    assert u[right].mean() > 0.1
    assert np.abs(v[:8]).max() < 0.05


def test_brows_go_up_or_down_above_the_eyes_of_both_geometries(face: DrawnFace) -> None:
    raised, lowered = read_published(face, 2, "LR"), read_published(face, 4, "LR")
    above = np.s_[1, : int(PUBLISHED_EYES[0, 1]) - 2]
    assert raised[above].min() < -100
    assert lowered[above].max() > 100
    aligned = face.read_aligned(face.sum_fields([MovedSkin(2, side, 1.0) for side in "LR"]))
    assert aligned[1].min(1).argmin() < 9  # the row of the largest motion is above the eyes


def test_one_side_moves_alone(face: DrawnFace) -> None:
    _, v, _ = face.read_aligned(face.sum_fields([MovedSkin(12, "L", 1.0)]))  # the right half of the picture
    assert v[:, 20:].min() < -0.2
    assert np.abs(v[:, :8]).max() < 0.05


def test_published_maps_fill_the_bytes() -> None:
    made = stretch_to_bytes(np.random.default_rng(0).normal(size=(2, 3, 28, 28)))
    assert np.array_equal(made, made.round())
    assert np.array_equal(made.min((-1, -2)), np.zeros((2, 3)))
    assert np.array_equal(made.max((-1, -2)), np.full((2, 3), 255))


def test_kinds_come_in_their_shares_and_cover_the_classes() -> None:
    kinds = draw_kinds(np.random.default_rng(0), 4000)
    assert set(SHARES) == {*FINE_CLASSES, NO_CLASS, ANY_UNITS}
    assert sum(SHARES.values()) == pytest.approx(1)
    assert {name: kinds.count(name) / 4000 for name in SHARES} == pytest.approx(SHARES, abs=0.03)
    for choices in EXPRESSIONS.values():
        assert sum(choice.chance for choice in choices) == pytest.approx(1)


def test_every_unit_is_shown_and_without_an_expression_the_mouth_alone() -> None:
    drawn = draw_maps_of_faces(9, range(1, 3), 200)
    assert (drawn.units.sum(0) > 0).all()
    at_rest = drawn.units[drawn.fine == len(FINE_CLASSES)]
    assert {SHIPPED_UNITS[column] for column in np.flatnonzero(at_rest.any(0))} <= {20, 25}  # a mouth that speaks
    assert not at_rest.any(1).all()
    assert drawn.units[drawn.fine == NO_LABEL].any(1).all()


def test_weak_units_do_not_count_as_present() -> None:
    marks = mark_present_units(
        [MovedSkin(12, "L", 0.9), MovedSkin(6, "L", 0.31), MovedSkin(6, "R", 0.2), MovedSkin(25, "", 0.2)]
    )
    assert [unit for unit, mark in zip(SHIPPED_UNITS, marks, strict=True) if mark] == [6, 12]
    assert not mark_present_units([MovedSkin(25, "", -0.8), MovedSkin(1, "L", 0.2)]).any()
    moved = draw_moved_skin(np.random.default_rng(1), "happiness")
    assert 12 in {part.au_number for part in moved}


def test_skin_moves_a_little_otherwise_in_every_face_and_alike_on_both_sides() -> None:
    """AU 1 goes straight up by the book. Both sides turn outwards or inwards together, however the head is rolled."""
    outwards = []
    for seed in range(6):
        face = DrawnFace(np.random.default_rng(seed), draw_face_shape(3, 1))
        u_left, u_right = (face.fields[1, side][0].sum() / np.abs(face.fields[1, side]).sum() for side in "LR")
        outwards.append((u_left - u_right) / 2)
    assert np.std(outwards) > 0.05
    assert max(np.abs(outwards)) < 0.6
