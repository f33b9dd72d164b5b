"""The rules by which one of several faces is chosen, on faces whose size and motion are given."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ingest.catalogue.named_face import check_named_face, read_named_face
from services.ingest.face_tracks import CONFIDENT, FaceTrack
from services.ingest.person_choice import SkinMotion, choose_lasting_face, choose_named_face, drop_clutter
from shared.errors import BadData

STILL, LIVING, STRONG = SkinMotion(0.06, 0.05), SkinMotion(0.4, 0.05), SkinMotion(2.0, 0.3)
widths = st.integers(40, 400)
motions = st.builds(SkinMotion, st.floats(0, 5), st.floats(0, 0.5))


def track(left: int, width: int, score: float = 1.0, lost: str = "") -> FaceTrack:
    missing = {9: lost} if lost else {}
    box = left, 0, left + width - 1, width - 1
    return FaceTrack(box, score, 0, "f0", np.zeros((2, 2)), {0: box}, missing)


def choose(*faces: tuple[int, SkinMotion]) -> tuple[int, str]:
    """The place in the row of the chosen face, and the reason."""
    tracks = [track(1000 * place, width) for place, (width, _) in enumerate(faces)]
    chosen, why = choose_lasting_face(tracks, lambda each: faces[each.box[0] // 1000][1])
    return chosen.box[0] // 1000, why


def test_the_one_that_moves_though_it_is_smaller() -> None:
    assert choose((180, STILL), (100, LIVING)) == (1, "it does not move")
    assert choose((100, LIVING), (100, STILL), (150, STILL)) == (0, "it does not move")


def test_motion_far_in_the_background_does_not_count() -> None:
    assert choose((200, STILL), (90, LIVING)) == (0, "it is smaller")


def test_size_decides_between_two_that_move_without_doubt() -> None:
    assert choose((130, STRONG), (100, STRONG)) == (0, "it is smaller")
    for faces in (((120, STRONG), (100, STRONG)), ((130, LIVING), (100, LIVING)), ((130, STILL), (100, STILL))):
        with pytest.raises(BadData, match=r"^f0: expected one face, got 2, at x 0 to .*so it is not clear"):
            choose(*faces)


@given(st.lists(st.tuples(widths, motions), min_size=2, max_size=4))
@example([(40, SkinMotion(2.0, 0.0)), (40, SkinMotion(0.75, 0.0)), (40, SkinMotion(0.75, 0.5))])  # as far, more noise
def test_the_order_of_the_faces_does_not_matter(faces: list[tuple[int, SkinMotion]]) -> None:
    def outcome(order: tuple[tuple[int, SkinMotion], ...]) -> tuple[int, SkinMotion] | None:
        try:
            return order[choose(*order)[0]]
        except BadData:
            return None

    assert len({outcome(order) for order in itertools.permutations(faces)}) == 1


@given(st.lists(st.tuples(widths, motions), min_size=2, max_size=4))
def test_what_is_chosen_is_the_largest_or_moves_most(faces: list[tuple[int, SkinMotion]]) -> None:
    try:
        place, _ = choose(*faces)
    except BadData:
        return
    width, motion = faces[place]
    assert width == max(each for each, _ in faces) or (motion.alive and motion.most == max(m.most for _, m in faces))
    assert 2 * width > max(each for each, _ in faces)


def test_a_face_that_does_not_last_is_no_candidate() -> None:
    gone, stays = track(0, 200, lost="f9"), track(500, 100)
    assert choose_lasting_face([gone, stays], lambda _: LIVING)[0] is stays
    with pytest.raises(BadData, match=r"^f0: expected its face \(at x 0 to 199, y 0 to 199 px\) .* none there in f9"):
        choose_lasting_face([gone], lambda _: LIVING)
    with pytest.raises(BadData, match="got none there in f9"):
        choose_named_face([gone, stays], "left")


def test_clutter_is_no_face_beside_a_confident_one() -> None:
    face, clutter = track(0, 100, 1.2), track(500, 200, CONFIDENT - 0.1)
    assert drop_clutter([face, clutter]) == [face]
    assert drop_clutter([clutter, track(0, 90, 0.2)]) == [clutter]


@pytest.mark.parametrize(
    ("named", "left"), [("left", 0), ("right", 700), ("largest", 300), ("350 40", 300), ("20,20", 0), ("705; 3.5", 700)]
)
def test_the_named_face(named: str, left: int) -> None:
    tracks = [track(300, 120), track(0, 100), track(700, 80)]
    assert choose_named_face(tracks, read_named_face(check_named_face(named, "row 2")))[0].box[0] == left


@given(st.sampled_from(["left", "right", "largest"]), st.sampled_from(["", " ", "\t"]), st.booleans())
def test_names_are_read_in_any_case(name: str, space: str, upper: bool) -> None:
    assert read_named_face(check_named_face(f"{space}{name.upper() if upper else name}{space}", "row 2")) == name


@given(st.integers(0, 9999), st.integers(0, 9999), st.sampled_from([" ", ",", ", ", ";", "/", "  "]))
def test_points_are_read_with_any_separator(x: int, y: int, separator: str) -> None:
    assert read_named_face(check_named_face(f"{x}{separator}{y}", "row 2")) == (x, y)


@pytest.mark.parametrize("text", ["middle", "480", "480 200 3", "-3 5", "left right", "1.2.3 4"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(BadData, match=r"^clips.csv row 2: expected the face as left, right, largest or a point"):
        check_named_face(text, "clips.csv row 2")
