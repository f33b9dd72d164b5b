"""MediaPipe's face model through OpenCV's dnn: a detector, and 478 points in three dimensions that follow a face.

The detector is BlazeFace's short-range network (Bazarevsky et al. 2019), the points are Face Mesh V2 with irises
(Kartynnik et al. 2019, Grishchenko et al. 2020). Both come from `face_landmarker.task` (`shared.weights`).

A frame is uint8 RGB [H, W, 3]. Positions are px of the frame; the centres of pixels have whole coordinates.
"""

import tempfile
import threading
import zipfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData
from shared.faces import FaceBox, check_frame, overlap_boxes
from shared.weights import FACE_MESH, weights_path

Floats = NDArray[np.float64]

DETECTOR_SIDE = 128  # px of the detector's input
ANCHOR_GRIDS = ((16, 2), (8, 6))  # cells along a side, anchors a cell
LOWEST_SCORE = 0.5  # of a detection, and of a face that the points still follow
SAME_FACE = 0.3  # intersection over union of boxes that are averaged
MESH_SIDE = 256  # px of the input of the points' network
MESH_POINTS = 478  # 468 of the skin, 10 of the irises
ROOM = 1.5  # side of the region that is looked at, in sides of the face
EYE_CORNERS = (33, 263)  # outer corners of the eyes, the image's left one first

# The mesh's points along the jaw, from ear to ear, between which iBUG's 17 lie at even distances.
JAW_OUTLINE = np.array(
    [127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356]
)
JAW_POINTS = 17
# The mesh's points in the order of iBUG's other 51: brows, nose, eyes, outer lip, inner lip.
INNER_INDICES = np.array(
    [
        *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
        *(168, 197, 5, 4, 75, 97, 2, 326, 305),
        *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
        *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
        *(78, 82, 13, 312, 308, 317, 14, 87),
    ]
)
# From the mesh's brow points to iBUG's, outer end to inner end: towards the nose and down, in distances between the
# eyes. The mean of what 24 drawn faces have (against their true points) and of one recorded face (against dlib's
# points, less dlib's own error on the drawn faces).
BROW_SHIFTS = np.array([(0.02, 0.025), (0.06, 0.0), (0.10, 0.0), (0.095, 0.02), (0.03, 0.065)])


class MeshDetection(NamedTuple):
    """A detected face.

    box: float64 [4] left, top, right, bottom. points: float64 [6, 2] (x, y): the eyes (the image's left one first),
    tip of the nose, mouth, ears. score: 0.5 to 1.
    """

    box: Floats
    points: Floats
    score: float


class FaceRegion(NamedTuple):
    """A turned square of a frame: its centre (x, y) and side, px, and the angle of the eyes' line, rad, clockwise."""

    centre: tuple[float, float]
    side: float
    angle: float


class FaceMesh(NamedTuple):
    """The points of a face, float64 [478, 3] (x, y, z), and how sure the network is that there is one, 0 to 1.

    z is the depth in the same px, smaller towards the camera, from an origin inside the head.
    """

    points: Floats
    score: float


class MeshTracker:
    """Follows one face from frame to frame: the points of a frame tell where to look in the next one."""

    def __init__(self) -> None:
        self.region: FaceRegion | None = None

    def follow_face(self, frame: NDArray[np.uint8]) -> FaceMesh | None:
        """The points of the face in the next frame [H, W, 3], uint8 RGB, or None where no face is seen.

        A face that is lost is detected again; the largest one is followed. Raises BadData for other frames.
        """
        check_frame(frame)
        mesh = fit_mesh(frame, self.region) if self.region else None
        if mesh is None or mesh.score < LOWEST_SCORE:
            mesh = fit_largest_face(frame)
        self.region = region_of_mesh(mesh.points) if mesh else None
        return mesh


def fit_largest_face(frame: NDArray[np.uint8]) -> FaceMesh | None:
    """The points of the largest face in a frame [H, W, 3], uint8 RGB; None if none is found."""
    found = detect_mesh_faces(frame)
    if not found:
        return None
    return fit_face(frame, region_of_detection(max(found, key=lambda face: float(face.box[2] - face.box[0]))))


def fit_face(frame: NDArray[np.uint8], region: FaceRegion) -> FaceMesh | None:
    """The points of the face in a detected region of a frame [H, W, 3], uint8 RGB; None if there is no face.

    The points are looked for twice: a region from points is steadier than one from a detector, and tracking has such.
    """
    mesh = fit_mesh(frame, region_of_mesh(fit_mesh(frame, region).points))
    return mesh if mesh.score >= LOWEST_SCORE else None


def detect_mesh_faces(frame: NDArray[np.uint8], lowest_score: float = LOWEST_SCORE) -> list[MeshDetection]:
    """The faces in a frame [H, W, 3], uint8 RGB, the best first. Small ones are missed (`search_tiles`).

    Raises BadData for other frames, MissingWeights without the model's file.
    """
    check_frame(frame)
    height, width = frame.shape[:2]
    side = max(height, width)
    scale = DETECTOR_SIDE / side
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (DETECTOR_SIDE - size[0]) // 2, (DETECTOR_SIDE - size[1]) // 2
    square = np.zeros((DETECTOR_SIDE, DETECTOR_SIDE, 3), np.float32)
    square[top : top + size[1], left : left + size[0]] = small
    # Padding is black, -1, as in MediaPipe's graph.
    logits, regressors = _load_networks().run_detector(square / np.float32(127.5) - 1)
    boxes, points, scores = decode_detections(logits, regressors)
    merged = merge_detections(boxes, points, scores, lowest_score)
    corner, stretch = np.array([left, top]), np.array([width / size[0], height / size[1]])

    def place(positions: Floats) -> Floats:
        return np.asarray((positions * DETECTOR_SIDE - corner) * stretch - 0.5)

    return [MeshDetection(place(box.reshape(2, 2)).ravel(), place(six), score) for box, six, score in merged]


def search_tiles(frame: NDArray[np.uint8], level: int, lowest_score: float = LOWEST_SCORE) -> list[MeshDetection]:
    """The faces in overlapping square parts of a frame [H, W, 3], uint8 RGB, the best first.

    A part's side is the frame's longer one, halved `level` times: faces half, a quarter, ... as large are found.
    """
    side = -(-max(frame.shape[:2]) // 2**level)
    found = [
        MeshDetection(face.box + np.array([left, top] * 2), face.points + np.array([left, top]), face.score)
        for top in _tile_starts(frame.shape[0], side)
        for left in _tile_starts(frame.shape[1], side)
        for face in detect_mesh_faces(frame[top : top + side, left : left + side], lowest_score)
    ]
    if not found:
        return []
    boxes, points, scores = (np.array(values) for values in zip(*found, strict=True))
    return [MeshDetection(*face) for face in merge_detections(boxes, points, scores, lowest_score)]


def anchor_centres() -> Floats:
    """Centres float64 [896, 2] (x, y) of the detector's anchors, 0 to 1 across its square input."""
    grids = []
    for cells, repeats in ANCHOR_GRIDS:
        y, x = np.divmod(np.arange(cells * cells), cells)
        grids.append(np.repeat((np.stack([x, y], 1) + 0.5) / cells, repeats, axis=0))
    return np.concatenate(grids)


def decode_detections(logits: NDArray[Any], regressors: NDArray[Any]) -> tuple[Floats, Floats, Floats]:
    """Outputs logits [896] and regressors [896, 16] -> boxes [896, 4], points [896, 6, 2] and scores [896].

    A box is left, top, right, bottom. Positions are 0 to 1 across the square input.
    """
    values = regressors.astype(np.float64).reshape(-1, 8, 2) / DETECTOR_SIDE
    anchors = anchor_centres()
    centres, sizes = values[:, 0] + anchors, values[:, 1]
    boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], 1)
    scores = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -100, 100)))
    return boxes, values[:, 2:] + anchors[:, None], scores


def merge_detections(
    boxes: Floats, points: Floats, scores: Floats, lowest_score: float = LOWEST_SCORE
) -> list[tuple[Floats, Floats, float]]:
    """Box [4], points [6, 2] and score of each face among boxes [N, 4], points [N, 6, 2], scores [N], the best first.

    Detections that overlap the best one are averaged with their scores as weights; the face has the best score.
    """
    left = [int(index) for index in np.argsort(-scores, kind="stable") if scores[index] >= lowest_score]
    faces = []
    while left:
        best = boxes[left[0]].tolist()
        same = [i for i in left if i == left[0] or overlap_boxes(boxes[i].tolist(), best) > SAME_FACE]
        weights = scores[same] / scores[same].sum()
        faces.append((weights @ boxes[same], np.tensordot(weights, points[same], 1), float(scores[left[0]])))
        left = [index for index in left if index not in same]
    return faces


def region_of_box(box: FaceBox) -> FaceRegion:
    """The region in which the points of a face are looked for in a detector's box, which tells no turn."""
    left, top, right, bottom = box
    return FaceRegion(((left + right) / 2, (top + bottom) / 2), ROOM * max(right - left, bottom - top), 0.0)


def region_of_detection(face: MeshDetection) -> FaceRegion:
    """The region in which the points of a detected face are looked for."""
    left, top, right, bottom = face.box.tolist()
    (x0, y0), (x1, y1) = face.points[:2].tolist()
    angle = float(np.arctan2(y1 - y0, x1 - x0))
    return FaceRegion(((left + right) / 2, (top + bottom) / 2), ROOM * max(right - left, bottom - top), angle)


def region_of_mesh(points: Floats) -> FaceRegion:
    """The region in which points [478, 2 or 3] of one frame are looked for in the next."""
    across = points[EYE_CORNERS[1], :2] - points[EYE_CORNERS[0], :2]
    angle = float(np.arctan2(across[1], across[0]))
    turn = _turn_matrix(angle)
    level = points[:, :2] @ turn  # coordinates along and across the eyes' line
    low, high = level.min(0), level.max(0)
    x, y = turn @ (low + high) / 2
    return FaceRegion((float(x), float(y)), ROOM * float((high - low).max()), angle)


def fit_mesh(frame: NDArray[np.uint8], region: FaceRegion) -> FaceMesh:
    """The points of the face in a region of a frame [H, W, 3], uint8 RGB. A low score says that there is none.

    Raises BadData for a region without a side, MissingWeights without the model's file.
    """
    if not region.side > 0:
        raise BadData(f"expected a region around a face with a side above 0 px, got {region.side:g}; detect it again")
    # Output px (i, j), whose centre is (i + 0.5, j + 0.5) / 256 of the way, shows frame px `step` @ (i, j) + `start`.
    step = _turn_matrix(region.angle) * (region.side / MESH_SIDE)
    start = np.array(region.centre) + step @ np.full(2, 0.5 - MESH_SIDE / 2)
    seen = _sample_region(frame, step, start)
    raw, logit = _load_networks().run_mesh(seen.astype(np.float32) / np.float32(255))
    found = raw.astype(np.float64).reshape(MESH_POINTS, 3)
    places = (found[:, :2] - 0.5) @ step.T + start
    depths = found[:, 2:] * (region.side / MESH_SIDE)
    return FaceMesh(np.concatenate([places, depths], 1), float(1 / (1 + np.exp(-np.clip(logit, -100, 100)))))


def convert_to_ibug(points: Floats) -> Floats:
    """Points [478, 3] of the mesh -> [68, 3] in the order of iBUG.

    The mesh has other points along jaw and brows than iBUG: the jaw is divided evenly, brow points move by
    `BROW_SHIFTS`.
    """
    jaw, inner = points[JAW_OUTLINE], np.array(points[INNER_INDICES])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(jaw[:, :2], axis=0), axis=1))])
    even = np.linspace(0, along[-1], JAW_POINTS)
    across = inner[25:31, :2].mean(0) - inner[19:25, :2].mean(0)
    down = np.array([-across[1], across[0]])
    inward, lower = BROW_SHIFTS.T[:, :, None]
    inner[0:5, :2] += inward * across + lower * down
    inner[9:4:-1, :2] += lower * down - inward * across
    return np.concatenate([np.stack([np.interp(even, along, axis) for axis in jaw.T], 1), inner])


def _tile_starts(size: int, side: int) -> list[int]:
    """First px of the parts along an axis, each overlapping the next by half or more."""
    count = max(1, -(-2 * (size - side) // side) + 1)
    return [round(place) for place in np.linspace(0, max(size - side, 0), count)]


def _turn_matrix(angle: float) -> Floats:
    """[2, 2]: its columns are the directions along the eyes' line and down the face."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def _sample_region(frame: NDArray[np.uint8], step: Floats, start: Floats) -> NDArray[np.uint8]:
    """uint8 [256, 256, 3]: output px (x, y) shows the frame at `step` @ (x, y) + `start`. Outside it is black.

    A region of twice the output's px or more is averaged down before. This halves what the camera's noise does to the
    points (0.41 to 0.18 px on a drawn face of 810 px with noise of 6 grey levels).
    """
    shrink = int(np.linalg.norm(step[:, 0]))
    if shrink > 1:
        corners = np.array([(0, 0), (0, MESH_SIDE), (MESH_SIDE, 0), (MESH_SIDE, MESH_SIDE)]) @ step.T + start
        size = np.array(frame.shape[1::-1])
        left, top = first = np.clip(np.floor(corners.min(0)), 0, np.maximum(size - shrink, 0)).astype(int)
        wanted = np.ceil(np.clip(corners.max(0), first + shrink, size)).astype(int) - first
        columns, rows = whole = -(-wanted // shrink) * shrink
        part = frame[top : top + rows, left : left + columns]
        part = np.pad(part, ((0, rows - part.shape[0]), (0, columns - part.shape[1]), (0, 0)), mode="edge")
        frame = np.asarray(cv2.resize(part, tuple((whole // shrink).tolist()), interpolation=cv2.INTER_AREA), np.uint8)
        step, start = step / shrink, (start - first + 0.5) / shrink - 0.5
    matrix = np.concatenate([step, start[:, None]], 1)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(frame, matrix, (MESH_SIDE, MESH_SIDE), flags=flags), np.uint8)


class _Networks:
    """The two networks. OpenCV's keep their inputs, so one thread at a time computes."""

    def __init__(self) -> None:
        with zipfile.ZipFile(weights_path(FACE_MESH)) as task:
            self._detector, self._mesh = (
                _read_network(task.read(name)) for name in ("face_detector.tflite", "face_landmarks_detector.tflite")
            )
        self._lock = threading.Lock()

    def run_detector(self, image: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Image [128, 128, 3], -1 to 1 -> logits [896] and regressors [896, 16]."""
        logits, regressors = self._forward(self._detector, image, ("classificators", "regressors"))
        return logits.ravel(), regressors[0]

    def run_mesh(self, image: NDArray[np.float32]) -> tuple[NDArray[Any], float]:
        """Image [256, 256, 3], 0 to 1 -> 478 x (x, y, z) in px of the image, [1434], and the logit of a face."""
        points, logit = self._forward(self._mesh, image, ("Identity", "Identity_1"))
        return points.ravel(), float(logit.ravel()[0])

    def _forward(self, network: Any, image: NDArray[np.float32], outputs: tuple[str, str]) -> list[NDArray[Any]]:
        with self._lock:
            network.setInput(np.ascontiguousarray(image.transpose(2, 0, 1))[None])
            return [np.array(output) for output in network.forward(outputs)]


def _read_network(data: bytes) -> Any:
    """A network from a TFLite file's bytes, by OpenCV's classic engine.

    OpenCV 5's new engine loses all outputs but one, and version 5.0 takes the new one for networks in memory whatever
    it is asked for. So it reads a file. OpenCV 4 has the classic engine alone.
    """
    engine = [cv2.dnn.ENGINE_CLASSIC] if hasattr(cv2.dnn, "ENGINE_CLASSIC") else []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.tflite"
        file.write_bytes(data)
        return cv2.dnn.readNetFromTFLite(str(file), *engine)


@cache
def _load_networks() -> _Networks:
    return _Networks()
