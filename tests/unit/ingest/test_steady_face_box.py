import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.ingest.steady_face_box import steady_box
from shared.errors import BadData
from shared.faces import largest_face

SCALES = (1.0, 1.06, 1.12, 1.18, 1.24)


def boxes(face: NDArray[np.uint8], passes: int) -> NDArray[np.float64]:
    """Boxes of one face at several scales of its frame, brought back to the first."""
    frames = [np.asarray(cv2.resize(face, None, fx=scale, fy=scale), np.uint8) for scale in SCALES]
    found = [steady_box(frame, 1, passes) for frame in frames]
    return np.array([np.array(box) / scale for box, scale in zip(found, SCALES, strict=True)])


def test_the_box_follows_the_face_and_not_the_pyramid(face: NDArray[np.uint8]) -> None:
    single, steady = boxes(face, 0), boxes(face, 6)
    assert np.std(steady[:, 2] - steady[:, 0]) < 0.5 * np.std(single[:, 2] - single[:, 0])
    assert np.abs(steady.mean(axis=0) - single.mean(axis=0)).max() < 5


def test_without_further_searches_it_is_the_detectors_box(face: NDArray[np.uint8]) -> None:
    assert steady_box(face, 1, 0) == largest_face(face, 1)


def test_a_face_at_the_frames_edge(face: NDArray[np.uint8]) -> None:
    edge = np.ascontiguousarray(face[50:, 75:])
    left, top, right, bottom = steady_box(edge, 1, 6)
    inner = np.array(steady_box(face, 1, 6)) - np.array([75, 50, 75, 50])
    assert np.abs(np.array([left, top, right, bottom]) - inner).max() < 12


def test_another_face_nearby_does_not_enter_the_average(face: NDArray[np.uint8]) -> None:
    small = cv2.resize(face[40:170, 60:200], None, fx=0.7, fy=0.7)
    alone = steady_box(face, 1, 6)
    pair = face.copy()
    pair[-small.shape[0] :, -small.shape[1] :] = small
    assert np.abs(np.array(steady_box(pair, 1, 6)) - np.array(alone)).max() <= 4


def test_no_face() -> None:
    with pytest.raises(BadData, match="expected one face looking at the camera, got none"):
        steady_box(np.full((100, 100, 3), 90, np.uint8), 1, 6)
