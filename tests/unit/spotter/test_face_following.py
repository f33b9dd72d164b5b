"""Faces under their numbers: those that come, go, come back, jump, are small, or are many."""

from collections.abc import Iterable

import numpy as np
import pytest

from services.spotter.face_following import MOST_FACES, FaceFollower, SeenFace
from services.spotter.face_geometry import bound_points, find_eyes, measure_eye_distance, measure_turn, read_look
from shared.face_mesh import fit_largest_face
from tests.unit.spotter.drawn_scenes import Pixels, show_persons

RATE = 30
LEFT, RIGHT = (160, 160), (480, 160)


def follow(frames: Iterable[Pixels], start: float = 0.0, follower: FaceFollower | None = None) -> list[list[SeenFace]]:
    follower = follower or FaceFollower()
    return [follower.follow_frame(frame, start + at / RATE) for at, frame in enumerate(frames)]


def names(seen: list[SeenFace]) -> list[tuple[int, int | None]]:
    return [(face.number, face.segment) for face in seen]


def still(count: int, *shown: tuple[int, float, float, float], ground: int = 96) -> list[Pixels]:
    return [show_persons(shown, seed=at, ground=ground) for at in range(count)]


def test_two_faces_of_which_one_comes_later_and_moves() -> None:
    first = (1, *LEFT, 1.0)
    frames = still(10, first) + [show_persons([first, (4, 480 - 2 * at, 160, 0.8)], seed=at) for at in range(30)]
    seen = follow(frames)
    assert names(seen[0]) == [(1, 0)]
    assert names(seen[9]) == [(1, 0)]
    come = next(at for at, faces in enumerate(seen) if len(faces) == 2)
    assert 10 <= come <= 25  # the next search of the frame
    assert all(names(faces) == [(1, 0), (2, 0)] for faces in seen[come:])
    moved = [find_eyes(faces[1].mesh.points).mean(0) for faces in seen[come:]]
    assert moved[-1][0] - moved[0][0] == pytest.approx(-2 * (len(moved) - 1), abs=3)
    assert moved[-1][1] == pytest.approx(moved[0][1], abs=2)
    assert [face.mesh.points.shape for face in seen[-1]] == [(478, 3), (478, 3)]


def test_a_face_that_was_covered_for_a_moment_keeps_its_number() -> None:
    shown = (1, *LEFT, 1.0)
    seen = follow(still(10, shown) + still(8) + still(10, shown))
    assert all(names(faces) == [(1, 0)] for faces in seen[:10])
    assert all(names(faces) == [] for faces in seen[10:18])
    assert names(seen[-1]) == [(1, 1)]
    back = next(at for at in range(18, 28) if seen[at])
    assert back <= 21  # a lost face is looked for ten times a second


def test_a_face_that_comes_to_another_place_is_a_new_one() -> None:
    seen = follow(still(10, (1, *LEFT, 1.0)) + still(8) + still(20, (1, *RIGHT, 1.0)))
    assert names(seen[-1]) == [(2, 0)]


def test_after_a_cut_the_look_decides() -> None:
    room = still(8, (1, *LEFT, 1.0))
    other = still(8, (4, *LEFT, 1.0), ground=230)
    seen = follow(room + other + room)
    assert all(names(faces) == [(1, 0)] for faces in seen[:8])
    assert all(names(faces) == [(2, 0)] for faces in seen[8:16])
    assert all(names(faces) == [(1, 1)] for faces in seen[16:])
    alike = still(3, (2, *LEFT, 1.0), ground=230)  # likeness 0.8
    assert names(follow(room[:3] + alike)[-1]) == [(2, 0)]


def test_a_cut_within_a_face_ends_its_segment() -> None:
    seen = follow(still(8, (1, *LEFT, 1.0)) + still(8, (1, *LEFT, 1.0), ground=240))
    assert names(seen[7]) == [(1, 0)]
    assert names(seen[8]) == [(1, 1)]


def test_a_jump_and_a_gap_in_time_end_a_segment() -> None:
    near = still(8, (1, *LEFT, 1.0))
    seen = follow(near + still(8, (1, LEFT[0] + 36, LEFT[1], 1.0)))  # 56 px between the eyes
    assert names(seen[7]) == [(1, 0)]
    assert names(seen[8]) == [(1, 1)]
    assert names(seen[15]) == [(1, 1)]
    follower = FaceFollower()
    follow(near, follower=follower)
    assert names(follow(near, 0.4, follower)[-1]) == [(1, 0)]  # 0.17 s without a frame
    assert names(follow(near, 1.0, follower)[0]) == [(1, 1)]  # 0.37 s


def test_a_fast_but_steady_head_is_no_jump() -> None:
    seen = follow([show_persons([(1, 120 + 12 * at, 160, 1.0)], seed=at) for at in range(25)])
    assert all(names(faces) == [(1, 0)] for faces in seen)


def test_a_small_face_is_noted_and_not_measured() -> None:
    seen = follow(still(20, (1, *LEFT, 0.36)))  # 20 px between the eyes
    noted = [faces for faces in seen if faces]
    assert len(noted) >= 2
    assert all(names(faces) == [(1, None)] for faces in noted)
    assert measure_eye_distance(noted[0][0].mesh.points) == pytest.approx(20, abs=2)


def test_a_small_face_in_a_large_frame_is_found_in_its_parts() -> None:
    frames = [show_persons([(1, 300, 500, 0.5)], (720, 1280), seed=at) for at in range(3)]
    seen = follow(frames)
    assert all(names(faces) == [(1, 0)] for faces in seen)
    left, top, right, bottom = bound_points(seen[0][0].mesh.points)
    assert left < 300 < right
    assert top < 500 + 5 < bottom
    assert right - left == pytest.approx(65, abs=8)


def test_a_small_face_beside_a_large_one_is_found_in_parts() -> None:
    shown = [(1, 300, 300, 1.5), (4, 1000, 500, 0.45)]
    seen = follow([show_persons(shown, (720, 1280), seed=at) for at in range(2)])
    assert all(names(faces) == [(1, 0), (2, 0)] for faces in seen)


def test_of_many_faces_the_largest_are_followed() -> None:
    shown = [(1 + at % 4, 120 + 230 * (at % 4), 120 + 230 * (at // 4), 0.75 if at < 5 else 0.9) for at in range(8)]
    follower = FaceFollower()
    seen = follow([show_persons(shown, (480, 960), seed=at) for at in range(3)], follower=follower)
    sizes = [measure_eye_distance(face.mesh.points) for face in seen[0] if face.segment is not None]
    assert len(sizes) == MOST_FACES
    assert follower.most_at_once == 8
    left_out = [measure_eye_distance(face.mesh.points) for face in seen[0] if face.segment is None]
    assert len(left_out) == 2
    assert max(left_out) <= min(sizes)


def test_no_face_is_made_up() -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (240, 320, 3), np.uint8) for _ in range(3)]
    assert follow(still(20)) == [[]] * 20
    assert follow(noise) == [[]] * 3


def test_a_look_is_that_of_the_person_and_not_of_the_place() -> None:
    def look(*shown: tuple[int, float, float, float], **how: int) -> np.ndarray:
        picture = show_persons(shown, **how)  # type: ignore[arg-type]
        mesh = fit_largest_face(picture)
        assert mesh is not None
        return read_look(picture, mesh.points)

    one = look((1, *LEFT, 1.0))
    assert float((one * look((1, 400, 180, 0.8), seed=3)).sum()) > 0.95
    assert float((one * look((4, *LEFT, 1.0))).sum()) < 0.5
    dark = (show_persons([(1, *LEFT, 1.0)]) * 0.5).astype(np.uint8)
    mesh = fit_largest_face(dark)
    assert mesh is not None
    assert float((one * read_look(dark, mesh.points)).sum()) > 0.95


def test_the_turn_of_points_turned_in_depth() -> None:
    mesh = fit_largest_face(show_persons([(1, *LEFT, 1.0)]))
    assert mesh is not None
    points = mesh.points - mesh.points.mean(0)
    before = measure_turn(points)
    angle = np.radians(30)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    turned = points @ turn.T
    assert abs(before) < 6
    assert measure_turn(turned) - before == pytest.approx(-30, abs=0.5)
    assert measure_eye_distance(turned) == pytest.approx(measure_eye_distance(points))
