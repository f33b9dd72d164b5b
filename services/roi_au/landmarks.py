"""The 68 facial landmarks (iBUG order): of dlib's regression-tree predictor (Kazemi & Sullivan 2014), or of MediaPipe.

dlib returns whole px, and this module keeps them. A mean over 16 shifted boxes was tried on faces under known small
motions. It halved the scatter on one face (0.37 to 0.18 px, eyes 53 px apart) and did nothing on another (0.45 to
0.43 px, eyes 70 px apart).
"""

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared import face_mesh, faces, weights
from shared.errors import BadData
from shared.face_detectors import choose_detector
from shared.stage import settings_for_profile
from shared.stage_settings.roi_au import ROI_AU_PROFILES, RoiAuSettings


def detect_landmarks(frame: NDArray[np.uint8], profile: str | RoiAuSettings = "corrected") -> NDArray[np.float64]:
    """Landmarks float64 [68, 2] (x, y), px, of the face in a uint8 RGB frame [H, W, 3].

    Raises BadData if there is no face or the frame has another type, and MissingWeights without the model's file.
    """
    settings = settings_for_profile(profile, ROI_AU_PROFILES)
    faces.check_frame(frame)
    pixels = frame if settings.landmark_image == "frame" else paper_face_image(frame)
    by_dlib = settings.landmarks == "dlib"
    search = choose_detector("hog" if by_dlib else "mediapipe")
    box = (
        faces.largest_face(pixels, settings.upsample, search)
        if settings.face == "largest"
        else _last_detection_box(pixels, settings, search)
    )
    points = fit_landmarks(pixels, box) if by_dlib else fit_mesh_landmarks(pixels, box)
    return rescale_points(points, pixels.shape[:2], frame.shape[:2])


def fit_landmarks(pixels: NDArray[np.uint8], box: faces.FaceBox) -> NDArray[np.float64]:
    """Landmarks float64 [68, 2] (x, y), px, of the face in a box of a uint8 RGB image [H, W, 3]."""
    shape = load_landmark_predictor()(np.ascontiguousarray(pixels), _import_dlib().rectangle(*box))
    return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float64)


def fit_mesh_landmarks(pixels: NDArray[np.uint8], box: faces.FaceBox) -> NDArray[np.float64]:
    """MediaPipe's landmarks float64 [68, 2] (x, y), px, of the face in a box of a uint8 RGB image [H, W, 3].

    Raises BadData if the box shows no face.
    """
    mesh = face_mesh.fit_face(pixels, face_mesh.region_of_box(box))
    if mesh is None:
        raise BadData(
            f"expected a face at {faces.describe_box(box)} px, got none by MediaPipe's landmarks; check that the frame "
            "shows an upright face or use `roi-au.landmarks=dlib`"
        )
    return face_mesh.convert_to_ibug(mesh.points)[:, :2]


def rescale_points(
    points: NDArray[np.float64], size: tuple[int, ...], new_size: tuple[int, ...]
) -> NDArray[np.float64]:
    """Points [N, 2] (x, y) of an image of `size` (rows, columns) -> their positions after it is resized to `new_size`.

    The centres of pixels have whole coordinates.
    """
    ratio = np.array([new_size[1] / size[1], new_size[0] / size[0]])
    return np.asarray((points + 0.5) * ratio - 0.5, dtype=np.float64)


def paper_face_image(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB [H, W, 3] -> the paper's face image, uint8 [128, 128, 3]: stretched to 256x256, made grey, halved."""
    grey = cv2.cvtColor(cv2.resize(frame, (256, 256)), cv2.COLOR_RGB2GRAY)
    return np.repeat(np.asarray(cv2.resize(grey, (128, 128)), dtype=np.uint8)[:, :, None], 3, axis=2)


def _last_detection_box(pixels: NDArray[np.uint8], settings: RoiAuSettings, search: faces.Detector) -> faces.FaceBox:
    found = search(pixels, settings.upsample)
    if not found:
        height, width = pixels.shape[:2]
        raise BadData(
            f"expected a face, got none in the {height}x{width} image that the profile `paper` searches once; "
            "use the profile `corrected`, which searches harder"
        )
    return found[-1].box


@cache
def load_landmark_predictor() -> Any:
    """dlib's predictor, read once per process. Raises MissingWeights without its file."""
    return _import_dlib().shape_predictor(str(weights.weights_path(weights.LANDMARKS)))


def _import_dlib() -> Any:
    import dlib  # type: ignore[import-untyped]  # here, so that this module can be read where dlib is not installed

    return dlib
