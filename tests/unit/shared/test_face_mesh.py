"""MediaPipe's face model: its numbers against values by hand, its points on faces whose points are known."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from merstream.synth.identity import draw_identity
from shared import face_mesh, weights
from shared.errors import BadData, MissingWeights

SIZE = (480, 640)
PARTS = {
    "jaw": slice(0, 17),
    "brows": slice(17, 27),
    "nose": slice(27, 36),
    "eyes": slice(36, 48),
    "mouth": slice(48, 68),
}


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    """A drawn face uint8 [480, 640, 3] and its true landmarks [68, 2]."""
    person = draw_identity(77, 1, SIZE)
    picture = cv2.resize(person.image, SIZE[::-1], interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), person.landmarks


@pytest.fixture(scope="module")
def mesh(drawn: tuple[np.ndarray, np.ndarray]) -> face_mesh.FaceMesh:
    found = face_mesh.fit_largest_face(drawn[0])
    assert found is not None
    return found


def eye_distance(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0)))


def turn_frame(frame: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """The frame turned about its middle, and the matrix [2, 3] that takes points along."""
    height, width = frame.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return np.asarray(cv2.warpAffine(frame, matrix, (width, height))), matrix


def test_anchors_are_the_centres_of_two_grids() -> None:
    anchors = face_mesh.anchor_centres()
    assert anchors.shape == (896, 2)
    first, last = anchors[:512], anchors[512:]  # 16 x 16 cells twice, then 8 x 8 cells six times
    assert first[[0, 1, 2, 31, 32, 511]].tolist() == [
        [1 / 32, 1 / 32],
        [1 / 32, 1 / 32],
        [3 / 32, 1 / 32],
        [31 / 32, 1 / 32],
        [1 / 32, 3 / 32],
        [31 / 32, 31 / 32],
    ]
    assert last[[5, 6, 48, 383]].tolist() == [[1 / 16, 1 / 16], [3 / 16, 1 / 16], [1 / 16, 3 / 16], [15 / 16, 15 / 16]]


def test_decoded_boxes_and_points_are_relative_to_their_anchor() -> None:
    logits, regressors = np.full(896, -200.0, np.float32), np.zeros((896, 16), np.float32)
    logits[34], logits[35] = 0.0, 2.0  # the second cell of the second row: (3, 3) / 32
    regressors[34] = [8, -4, 32, 64, *range(12)]
    boxes, points, scores = face_mesh.decode_detections(logits, regressors)
    assert scores[34] == 0.5
    assert scores[35] == pytest.approx(1 / (1 + np.exp(-2)))
    assert scores[0] == pytest.approx(0)
    assert boxes[34].tolist() == [12 / 128 + 8 / 128 - 16 / 128, 12 / 128 - 4 / 128 - 32 / 128, 36 / 128, 40 / 128]
    assert (points[34] * 128).tolist() == [[12 + 2 * k, 13 + 2 * k] for k in range(6)]


def test_overlapping_detections_are_averaged_by_score() -> None:
    boxes = np.array([[0, 0, 10, 10], [2, 0, 12, 10], [6, 0, 16, 10], [30, 0, 40, 10], [0, 0, 10, 10]], np.float64)
    points = boxes[:, None, :2] + np.arange(12).reshape(6, 2)
    found = face_mesh.merge_detections(boxes, points, np.array([0.6, 0.9, 0.8, 0.7, 0.4]))
    # IoU with the best: 8 / 12, 6 / 14, 0; the last one's score is too low
    mean_left = (0.6 * 0 + 0.9 * 2 + 0.8 * 6) / 2.3
    assert [face[2] for face in found] == [0.9, 0.7]
    assert found[0][0] == pytest.approx([mean_left, 0, mean_left + 10, 10])
    assert found[0][1][1] == pytest.approx([mean_left + 2, 3])
    assert found[1][0].tolist() == [30, 0, 40, 10]


def test_points_of_a_drawn_face_are_near_the_true_ones(
    drawn: tuple[np.ndarray, np.ndarray], mesh: face_mesh.FaceMesh
) -> None:
    true = drawn[1]
    assert mesh.points.shape == (478, 3)
    assert mesh.score > 0.99
    errors = np.linalg.norm(face_mesh.convert_to_ibug(mesh.points)[:, :2] - true, axis=1) / eye_distance(true)
    limits = {"jaw": 0.08, "brows": 0.06, "nose": 0.06, "eyes": 0.04, "mouth": 0.06}
    measured = {part: errors[rows].mean() for part, rows in PARTS.items()}
    assert all(measured[part] < limit for part, limit in limits.items()), measured


def test_brow_points_are_moved_to_ibugs(drawn: tuple[np.ndarray, np.ndarray], mesh: face_mesh.FaceMesh) -> None:
    true, brows = drawn[1], face_mesh.INNER_INDICES[:10]
    as_they_are = np.linalg.norm(mesh.points[brows, :2] - true[17:27], axis=1)
    moved = np.linalg.norm(face_mesh.convert_to_ibug(mesh.points)[17:27, :2] - true[17:27], axis=1)
    for brow in (slice(0, 5), slice(5, 10)):
        assert moved[brow].mean() < 0.7 * as_they_are[brow].mean()


def test_the_nose_is_nearer_to_the_camera_than_the_ears(mesh: face_mesh.FaceMesh) -> None:
    nose, *ears = mesh.points[[4, 234, 454], 2]
    assert nose < min(ears) - 0.5 * eye_distance(face_mesh.convert_to_ibug(mesh.points)[:, :2])


@pytest.mark.parametrize("degrees", [-30, 30])
def test_a_turned_head_has_the_turned_points(
    drawn: tuple[np.ndarray, np.ndarray], mesh: face_mesh.FaceMesh, degrees: float
) -> None:
    turned, matrix = turn_frame(drawn[0], degrees)
    found = face_mesh.fit_largest_face(turned)
    assert found is not None
    expected = mesh.points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    assert np.linalg.norm(found.points[:, :2] - expected, axis=1).mean() < 0.03 * eye_distance(drawn[1])


def test_a_region_is_a_square_around_the_turned_points() -> None:
    points = np.zeros((478, 3))
    points[33], points[263] = (10, 10, 5), (10, 30, 5)  # the eyes' line points down: a quarter turn
    points[[0, 1]] = [(4, 20, 0), (40, 20, 0)]
    points[2:33] = points[34:263] = points[264:] = (10, 20, 0)
    region = face_mesh.region_of_mesh(points)
    assert region.angle == pytest.approx(np.pi / 2)
    assert region.centre == pytest.approx((22, 20))
    assert region.side == pytest.approx(1.5 * 36)


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.5, 6.3])
@pytest.mark.parametrize("angle", [0.0, 0.5])
def test_a_region_shows_the_frame_where_it_says(scale: float, angle: float) -> None:
    """On a frame whose values are its columns and rows, each sampled px tells where it was read."""
    y, x = np.mgrid[:250, :250]
    frame = np.stack([x, y, np.zeros_like(x)], -1).astype(np.uint8)
    step = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    start = np.array([120.3, 110.8]) - step @ np.array([128, 128])
    seen = face_mesh._sample_region(frame, step, start)
    rows, columns = np.mgrid[108:148:4, 108:148:4].reshape(2, -1)
    places = np.stack([columns, rows], 1) @ step.T + start
    inside = ((places > 8) & (places < 240)).all(1)
    assert inside.sum() > 5
    assert np.abs(seen[rows, columns, :2] - places)[inside].mean(0).max() < 1.0  # whole grey levels


@pytest.mark.parametrize("factor", [2, 5])
def test_a_large_face_has_the_points_of_the_small_one(
    drawn: tuple[np.ndarray, np.ndarray], mesh: face_mesh.FaceMesh, factor: int
) -> None:
    """Above 512 px a region is averaged down before it is sampled, also where it reaches over the frame's border."""
    cut = drawn[0][:, 150:490]
    large = face_mesh.fit_largest_face(cv2.resize(cut, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC))
    assert large is not None
    assert face_mesh.region_of_mesh(large.points).side > 512
    expected = (mesh.points[:, :2] - [150, 0] + 0.5) * factor - 0.5
    assert np.linalg.norm(large.points[:, :2] - expected, axis=1).mean() < 0.012 * factor * eye_distance(drawn[1])


def test_a_tracker_follows_a_face_and_finds_it_again(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    frame, true = drawn
    tracker = face_mesh.MeshTracker()
    grey = np.full_like(frame, 90)
    for shift in (0, 12, 24):
        moved = np.roll(frame, shift, axis=1)
        found = tracker.follow_face(moved)
        assert found is not None
        off = face_mesh.convert_to_ibug(found.points)[36:48, :2] - true[36:48] - [shift, 0]
        assert np.linalg.norm(off, axis=1).mean() < 0.05 * eye_distance(true)
    assert tracker.follow_face(grey) is None
    assert tracker.region is None
    assert tracker.follow_face(frame) is not None


def test_a_small_face_is_found_in_parts_of_the_frame() -> None:
    frame = np.full((720, 1280, 3), 120, np.uint8)
    head = skimage.data.astronaut()[0:260, 90:350]
    frame[500:660, 900:1060] = cv2.resize(head, (160, 160), interpolation=cv2.INTER_AREA)
    assert face_mesh.detect_mesh_faces(frame) == []
    (face,) = face_mesh.search_tiles(frame, 2)
    mesh = face_mesh.fit_face(frame, face_mesh.region_of_detection(face))
    assert mesh is not None
    corners = [(195, 100), (255, 103)]  # outer corners of the eyes in the astronaut's picture
    expected = np.array([900, 500]) + (np.array(corners) - [90, 0]) * 160 / 260
    assert mesh.points[[33, 263], :2] == pytest.approx(expected, abs=1)


def test_two_faces_are_two_detections(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    pair = np.concatenate([drawn[0][:, 150:490], drawn[0][:, 150:490]], 1)
    assert len(face_mesh.detect_mesh_faces(pair)) == 2


@pytest.mark.parametrize("fill", [0, 90, 255])
def test_a_frame_without_a_face_has_none(fill: int) -> None:
    frame = np.full((140, 112, 3), fill, np.uint8)
    assert face_mesh.detect_mesh_faces(frame) == []
    assert face_mesh.fit_largest_face(frame) is None


def test_a_region_without_a_face_has_a_low_score() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    assert face_mesh.fit_mesh(frame, face_mesh.FaceRegion((100, 100), 120, 0)).score < 0.5


def test_frames_and_regions_that_are_none_are_refused(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(BadData, match="RGB frame of shape HxWx3"):
        face_mesh.detect_mesh_faces(np.zeros((99, 80), np.uint8))
    with pytest.raises(BadData, match="side above 0 px, got 0"):
        face_mesh.fit_mesh(drawn[0], face_mesh.FaceRegion((100, 100), 0, 0))


def test_missing_and_changed_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MER_WEIGHTS_DIR", str(tmp_path))
    with pytest.raises(MissingWeights, match=r"Run `mer weights mediapipe-face`.* Licence: Apache-2\.0"):
        face_mesh._Networks()
    (tmp_path / "mediapipe-face.task").write_bytes(b"another file")
    digest = hashlib.sha256(b"another file").hexdigest()
    with pytest.raises(MissingWeights, match=f"has sha256 {digest}, expected {weights.FACE_MESH.sha256}"):
        face_mesh._Networks()


def test_the_networks_are_read_once() -> None:
    assert face_mesh._load_networks() is face_mesh._load_networks()
