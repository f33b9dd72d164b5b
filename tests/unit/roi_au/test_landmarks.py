"""Landmarks are on the face, in every size of crop."""

import cv2
import numpy as np
import pytest
import skimage.data

from services.roi_au import landmarks
from shared import faces
from shared.errors import BadData
from shared.regions_of_interest import ROI
from shared.stage_settings.roi_au import ROI_AU_PROFILES

EYES = np.s_[36:48]


def eye_distance(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0)))


@pytest.mark.parametrize("size", [(140, 112), (280, 224), (96, 96), (400, 330), (170, 140)])
def test_landmarks_of_a_crop_are_those_of_the_whole_image(size: tuple[int, int]) -> None:
    image = np.asarray(skimage.data.astronaut())
    whole = landmarks.detect_landmarks(image)
    frame = cv2.resize(image[45:195, 162:282], size[::-1], interpolation=cv2.INTER_AREA)
    points = landmarks.rescale_points(landmarks.detect_landmarks(frame), size, (150, 120)) + np.array([162, 45])
    assert points.dtype == np.float64
    assert np.linalg.norm(points - whole, axis=1).mean() < 0.04 * eye_distance(whole)


def test_the_larger_of_two_faces() -> None:
    head = np.asarray(skimage.data.astronaut())[30:220, 130:320]
    frame = np.full((320, 560, 3), 128, dtype=np.uint8)
    frame[5:195, 10:200] = head
    frame[5:315, 230:540] = cv2.resize(head, (310, 310))
    assert landmarks.detect_landmarks(frame)[:, 0].min() > 230


def test_paper_takes_the_last_detection_of_one_search(onset: np.ndarray) -> None:
    """The last detection of the astronaut's picture is a badge, not the face."""
    picture = np.asarray(skimage.data.astronaut())
    face, *_, badge = (detection.box for detection in faces.detect_faces(picture))
    assert faces.largest_face(picture) == face != badge
    settings = ROI_AU_PROFILES["corrected"].model_copy(update={"face": "last"})
    assert (landmarks.detect_landmarks(picture, settings) == landmarks.fit_landmarks(picture, badge)).all()
    assert (landmarks.detect_landmarks(picture) == landmarks.fit_landmarks(picture, face)).all()
    small = landmarks.paper_face_image(onset)
    on_grid = landmarks.fit_landmarks(small, faces.detect_faces(small)[-1].box)
    assert (
        landmarks.detect_landmarks(onset, "paper") == landmarks.rescale_points(on_grid, (128, 128), (280, 224))
    ).all()


def test_paper_looks_at_a_grey_image_of_128_px(onset: np.ndarray) -> None:
    settings = ROI_AU_PROFILES["corrected"].model_copy(update={"landmark_image": "grey128"})
    on_grid = landmarks.rescale_points(landmarks.detect_landmarks(onset, settings), (280, 224), (128, 128))
    assert np.allclose(on_grid, np.rint(on_grid), atol=1e-9)
    assert np.abs(landmarks.detect_landmarks(onset, settings) - landmarks.detect_landmarks(onset)).max() < 12


def test_upsampling_is_a_setting() -> None:
    """A face of some 25 px is found after two doublings, which `upsample` 1 allows and 0 does not."""
    small = cv2.resize(np.asarray(skimage.data.astronaut())[:260, 90:350], (60, 60), interpolation=cv2.INTER_AREA)
    more, none = (ROI_AU_PROFILES["corrected"].model_copy(update={"upsample": upsample}) for upsample in (1, 0))
    assert landmarks.detect_landmarks(small, more).shape == (68, 2)
    with pytest.raises(BadData, match="upsample"):
        landmarks.detect_landmarks(small, none)


def test_the_predictor_is_read_once() -> None:
    assert landmarks.load_landmark_predictor() is landmarks.load_landmark_predictor()


def test_the_same_frame_gives_the_same_landmarks(onset: np.ndarray) -> None:
    assert (landmarks.detect_landmarks(onset) == landmarks.detect_landmarks(onset.copy())).all()


@pytest.mark.parametrize("profile", ["corrected", "paper"])
def test_no_face(profile: str) -> None:
    with pytest.raises(BadData, match=r"expected (one|a) face.*got none in .* frame|got none in the 128x128 image"):
        landmarks.detect_landmarks(np.full((140, 112, 3), 90, dtype=np.uint8), profile)


@pytest.mark.parametrize("frame", [np.zeros((99, 80), dtype=np.uint8), np.zeros((99, 80, 3), dtype=np.uint16)])
@pytest.mark.parametrize("profile", ["corrected", "paper"])
def test_grey_and_16_bit_frames(frame: np.ndarray, profile: str) -> None:
    with pytest.raises(BadData, match=r"RGB frame of (shape HxWx3, got shape 99x80|uint8 0..255, got uint16)"):
        landmarks.detect_landmarks(frame, profile)


def test_rescaled_keeps_corners_on_corners() -> None:
    corners = np.array([[-0.5, -0.5], [223.5, 279.5], [111.5, 139.5]])  # outer edges and centre of a 280x224 image
    there = landmarks.rescale_points(corners, (280, 224), (128, 128))
    assert np.allclose(there, [[-0.5, -0.5], [127.5, 127.5], [63.5, 63.5]])
    assert np.allclose(landmarks.rescale_points(there, (128, 128), (280, 224)), corners)


MESH = ROI_AU_PROFILES["corrected"].model_copy(update={"landmarks": "mediapipe"})


@pytest.mark.parametrize("size", [(140, 112), (280, 224), (96, 96), (400, 330), (170, 140)])
def test_mediapipes_landmarks_of_a_tight_crop_are_near_dlibs(size: tuple[int, int]) -> None:
    image = np.asarray(skimage.data.astronaut())
    whole = landmarks.detect_landmarks(image)
    frame = cv2.resize(image[45:195, 162:282], size[::-1], interpolation=cv2.INTER_AREA)
    points = landmarks.rescale_points(landmarks.detect_landmarks(frame, MESH), size, (150, 120)) + np.array([162, 45])
    errors = np.linalg.norm(points - whole, axis=1) / eye_distance(whole)
    assert errors[ROI].mean() < 0.06
    assert errors[EYES].mean() < 0.06


def test_mediapipes_landmarks_take_the_other_settings_too(onset: np.ndarray) -> None:
    points = landmarks.detect_landmarks(onset, MESH)
    grey = landmarks.detect_landmarks(onset, MESH.model_copy(update={"landmark_image": "grey128"}))
    last = landmarks.detect_landmarks(onset, MESH.model_copy(update={"face": "last"}))
    assert (points != np.rint(points)).all()  # dlib's are in whole px
    assert 0 < np.linalg.norm(grey - points, axis=1).mean() < 0.05 * eye_distance(points)
    assert (last == points).all()


@pytest.mark.parametrize(("face", "told"), [("largest", "expected one face"), ("last", "expected a face")])
def test_no_face_for_mediapipe(face: str, told: str) -> None:
    with pytest.raises(BadData, match=f"{told}.*got none in"):
        landmarks.detect_landmarks(np.full((140, 112, 3), 90, dtype=np.uint8), MESH.model_copy(update={"face": face}))


def test_a_box_without_a_face_is_refused() -> None:
    with pytest.raises(
        BadData, match="expected a face at x 20 to 80, y 20 to 90 px, got none by MediaPipe's landmarks"
    ):
        landmarks.fit_mesh_landmarks(np.full((140, 112, 3), 90, dtype=np.uint8), (20, 20, 80, 90))
