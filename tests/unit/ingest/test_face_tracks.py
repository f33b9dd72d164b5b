import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.ingest.face_tracks import MOST_PROBES, PROBE_GAP, choose_probes, follow_faces, search_nearby
from shared.faces import detect_faces, largest_face, overlap_boxes, search_faces
from shared.stage_settings.ingest import IngestSettings

SETTINGS = IngestSettings()


@given(st.integers(2, 4000), st.none() | st.floats(0, 1), st.sampled_from([15.0, 30.0, 200.0]))
def test_ends_and_apex_are_looked_at_and_gaps_are_short(length: int, apex: float | None, fps: float) -> None:
    peak = None if apex is None else round(apex * (length - 1))
    probes = choose_probes(length, peak, fps)
    assert {0, length - 1, peak} - {None} <= set(probes)
    assert probes == sorted(set(probes))
    assert len(probes) <= MOST_PROBES + 1
    largest = max((length - 1) / (MOST_PROBES - 1), 2 * PROBE_GAP * fps)
    assert np.diff(probes).max() <= largest + 1


def test_a_clip_of_half_a_second_is_looked_at_three_times() -> None:
    assert choose_probes(81, 30, 200.0) == [0, 30, 80]
    assert choose_probes(81, None, 200.0) == [0, 40, 80]
    assert choose_probes(2, None, 200.0) == [0, 1]


def test_a_face_is_followed_and_a_second_one_is_found_when_it_comes(face: NDArray[np.uint8]) -> None:
    rows, columns = face.shape[:2]
    empty = np.full((rows, 2 * columns, 3), 128, np.uint8)
    first, both, second = (empty.copy() for _ in range(3))
    first[:, :columns] = both[:, :columns] = face
    both[:, columns:] = second[:, columns:] = face
    (known,) = found = search_faces(first, 1)
    left, right = follow_faces((0, "f0", first), found, [(4, "f4", both), (9, "f9", second)], SETTINGS)
    assert (left.box, left.start, left.missing) == (known.box, 0, {9: "f9"})
    assert overlap_boxes(left.seen[4], known.box) > 0.7
    x0, y0, x1, y1 = known.box
    assert overlap_boxes(right.box, (x0 + columns, y0, x1 + columns, y1)) > 0.6
    assert (right.start, right.name, right.missing) == (4, "f4", {})


def test_a_face_is_found_nearby_that_the_plain_search_misses(face: NDArray[np.uint8]) -> None:
    """Of 45 px, where the window of a plain search has 80."""
    small = np.ascontiguousarray(face[::2, ::2])
    box = tuple(side // 2 for side in largest_face(face))
    assert not detect_faces(small, 0)
    (seen, *_) = search_nearby(small, (box[0], box[1], box[2], box[3]))
    assert overlap_boxes(seen.box, box) > 0.6
    assert search_nearby(np.full_like(small, 90), (box[0], box[1], box[2], box[3])) == []


@pytest.mark.parametrize("other", [(0, 0, 10, 10), (5, 0, 15, 10), (20, 20, 30, 30)])
def test_overlap(other: tuple[int, int, int, int]) -> None:
    expected = {0: 1.0, 5: 1 / 3, 20: 0.0}[other[0]]
    assert overlap_boxes((0, 0, 10, 10), other) == overlap_boxes(other, (0, 0, 10, 10)) == pytest.approx(expected)
