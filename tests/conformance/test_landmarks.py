"""dlib's landmarks and the paper's patches, number by number (origin of the arrays: tests/data/README.md)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from cv2 import COLOR_RGB2GRAY, cvtColor

from services.roi_au import landmarks, roi
from shared import faces
from shared.stage_settings.roi_au import ROI_AU_PROFILES

DATA = Path(__file__).parents[1] / "data" / "landmarks.npz"
ENTRIES = 15


@pytest.fixture(scope="module")
def recorded() -> Mapping[str, np.ndarray]:
    return dict(np.load(DATA, allow_pickle=False))


def pixels(recorded: Mapping[str, np.ndarray], entry: int) -> np.ndarray:
    """The image that dlib received for the entry."""
    astronaut = np.asarray(skimage.data.astronaut())
    images = {
        "astronaut": astronaut,
        "clip0": astronaut[40:200, 130:322],
        "clip8": recorded["clip8"],
        "grey128": recorded["grey128"],
    }
    image = np.ascontiguousarray(images[str(recorded["image"][entry])])
    return np.asarray(cvtColor(image, COLOR_RGB2GRAY)) if recorded["grey"][entry] and image.ndim == 3 else image


@pytest.mark.parametrize("entry", range(ENTRIES))
def test_boxes_scores_and_landmarks(recorded: Mapping[str, np.ndarray], entry: int) -> None:
    image = pixels(recorded, entry)
    found = faces.detect_faces(image, int(recorded["upsample"][entry]))[recorded["detection"][entry]]
    assert found.box == tuple(recorded["rects"][entry])
    assert found.score == pytest.approx(recorded["scores"][entry], rel=1e-6)
    assert (landmarks.fit_landmarks(image, found.box) == recorded["landmarks"][entry]).all()


def test_detect_gives_the_recorded_landmarks(recorded: Mapping[str, np.ndarray]) -> None:
    """Every entry is the largest face of its frame, except the badge."""
    for entry in range(ENTRIES):
        if recorded["detection"][entry] == 0:
            image = pixels(recorded, entry)
            frame = np.repeat(image[:, :, None], 3, axis=2) if image.ndim == 2 else image
            settings = ROI_AU_PROFILES["corrected"].model_copy(update={"upsample": int(recorded["upsample"][entry])})
            assert (landmarks.detect_landmarks(frame, settings) == recorded["landmarks"][entry]).all(), entry


def test_paper_takes_the_badge_for_the_face(recorded: Mapping[str, np.ndarray]) -> None:
    settings = ROI_AU_PROFILES["corrected"].model_copy(update={"face": "last"})
    assert (landmarks.detect_landmarks(pixels(recorded, 2), settings) == recorded["landmarks"][2]).all()
    assert (landmarks.detect_landmarks(pixels(recorded, 2)) == recorded["landmarks"][1]).all()


def test_paper_makes_its_grey_image_of_128_px(recorded: Mapping[str, np.ndarray]) -> None:
    head = np.ascontiguousarray(skimage.data.astronaut()[30:220, 130:320])
    assert (landmarks.paper_face_image(head) == recorded["grey128"][:, :, None]).all()
    points = landmarks.rescale_points(landmarks.detect_landmarks(head, "paper"), head.shape[:2], (128, 128))
    assert np.abs(points - recorded["landmarks"][14]).max() < 1e-9


def test_the_thirty_rois(recorded: Mapping[str, np.ndarray]) -> None:
    assert (recorded["roi_index"] == roi.ROI).all()
    assert (recorded["landmarks"][14][roi.ROI] == recorded["roi_points"]).all()


@pytest.mark.parametrize("profile", ["paper", "corrected"])
def test_patches(recorded: Mapping[str, np.ndarray], profile: str) -> None:
    face = recorded["grey128"].astype(np.float32) / 255
    cut = roi.cut_flow_patches(np.stack([face, face])[None], recorded["landmarks"][14].astype(np.float64), profile)
    assert (cut == recorded[f"patches_{profile}"]).all()
