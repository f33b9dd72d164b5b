"""The face detectors by name: dlib's HOG and CNN, and MediaPipe's.

All boxes are those of HOG, as nearly as one shift gives it, and scores have HOG's scale: 0 is just accepted, sharp
frontal faces have 1 to 3.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared import face_mesh
from shared.faces import Detector, DetectorName, FaceDetection, detect_faces
from shared.weights import FACE_DETECTOR, weights_path

CNN_LOWER = 0.11  # share of the box's width by which HOG's box of the same face lies lower


def choose_detector(name: DetectorName) -> Detector:
    """The detector of a name. MissingWeights is raised when it is first used without its file."""
    return {"hog": detect_faces, "mmod": detect_faces_by_cnn, "mediapipe": detect_faces_by_mesh_model}[name]


def detect_faces_by_cnn(pixels: NDArray[np.uint8], upsample: int = 1, threshold: float = 0.0) -> list[FaceDetection]:
    """Detections of dlib's max-margin CNN (King 2015) in uint8 pixels [H,W,3], RGB, the best first.

    It needs 70 times HOG's time on a CPU: 1.7 s for 640x480 without doublings. Its scores are all above 0.
    """
    found = [(detection.rect, float(detection.confidence)) for detection in _load_cnn()(pixels, upsample)]
    boxes = []
    for rect, score in sorted(found, key=lambda each: -each[1]):
        lower = round(CNN_LOWER * (rect.right() - rect.left()))
        box = rect.left(), rect.top() + lower, rect.right(), rect.bottom() + lower
        boxes += [FaceDetection(box, score)] if score > threshold else []
    return boxes


def detect_faces_by_mesh_model(
    pixels: NDArray[np.uint8], upsample: int = 1, threshold: float = 0.0
) -> list[FaceDetection]:
    """Detections of MediaPipe's short-range detector in uint8 pixels [H,W,3], RGB, the best first; scores are logits.

    If the whole picture shows no face, its parts are searched, `upsample` times halved.
    """
    lowest = float(1 / (1 + np.exp(-threshold)))
    found = face_mesh.detect_mesh_faces(pixels, lowest)
    for level in range(1, upsample + 1):
        found = found or face_mesh.search_tiles(pixels, level, lowest)
    return [FaceDetection(_round_box(face.box), _score_logit(face.score)) for face in found]


def _round_box(box: NDArray[np.float64]) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(float(side)) for side in box)
    return left, top, right, bottom


def _score_logit(score: float) -> float:
    return float(np.log(score / max(1 - score, 1e-12)))


@cache
def _load_cnn() -> Any:
    import dlib  # type: ignore[import-untyped]  # here, since not every container with this module has dlib

    return dlib.cnn_face_detection_model_v1(str(weights_path(FACE_DETECTOR)))
