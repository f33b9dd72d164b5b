"""How well a face can be seen."""

import cv2
import numpy as np
import pytest

from services.spotter.face_quality import (
    FaceQuality,
    FaceSample,
    describe_limits,
    measure_sharpness,
    sample_face,
    summarise_samples,
)
from shared.face_mesh import fit_largest_face
from tests.unit.spotter.drawn_scenes import Pixels, show_persons

GOOD = FaceQuality(80.0, 2.0, 120.0, 0.5, 0.3)


@pytest.fixture(scope="module")
def picture() -> Pixels:
    return show_persons([(1, 160, 160, 1.0)], (320, 320))


def test_sharpness_falls_with_blur(picture: Pixels) -> None:
    grey = np.asarray(cv2.cvtColor(picture[100:250, 90:230], cv2.COLOR_RGB2GRAY), np.uint8)
    found = [measure_sharpness(grey)] + [
        measure_sharpness(np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma), np.uint8)) for sigma in (1, 2, 4)
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.45
    assert found[3] < 0.2


def test_sharpness_of_stripes_and_of_nothing() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (40, 20))
    both = (stripes[:, :] ^ stripes.T[:, :]).astype(np.uint8)
    assert measure_sharpness(both) > 0.8  # a blur removes nearly all of a checkerboard
    assert measure_sharpness(np.full((40, 40), 7, np.uint8)) == 0


def test_a_sample_of_a_face(picture: Pixels) -> None:
    mesh = fit_largest_face(picture)
    assert mesh is not None
    alone = sample_face(picture, None, mesh.points)
    assert alone.eye_distance == pytest.approx(56.6, rel=0.03)
    assert np.isnan(alone.frozen)
    assert sample_face(picture, picture, mesh.points).frozen == 1
    half = picture.copy()
    half[::2] ^= 1
    assert sample_face(half, picture, mesh.points).frozen == pytest.approx(0.5, abs=0.02)
    assert sample_face(picture // 2, picture, mesh.points).light == pytest.approx(alone.light / 2, abs=1)
    outside = mesh.points - np.array([150.0, 0, 0])
    assert 0 < sample_face(picture, picture, outside).light < 255


def test_medians_ignore_what_is_not_known() -> None:
    samples = [
        FaceSample(50, -30, 100, 0.4, np.nan),
        FaceSample(60, 10, 110, 0.5, 0.2),
        FaceSample(70, 20, 90, 0.6, 0.4),
    ]
    assert summarise_samples(samples) == pytest.approx((60, 20, 100, 0.5, 0.3))
    assert summarise_samples(samples[:1]) == pytest.approx((50, 30, 100, 0.4, 0))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, ""),
        ({"eye_distance": 23.0}, "too small: 23 px between the eyes, at least 24 are needed"),
        ({"eye_distance": 39.0}, "small: 39 px between the eyes; below 40"),
        ({"turn": 26.0}, "turned by 26 degrees"),
        ({"light": 49.0}, "dark: mean grey level 49"),
        ({"light": 226.0}, "overexposed"),
        ({"sharpness": 0.2}, "blurred: sharpness 0.20"),
        ({"frozen": 0.8}, "80 % of the face's pixels are repeated from frame to frame: the codec removes fine motion"),
    ],
)
def test_limits_are_told(changed: dict[str, float], told: str) -> None:
    remarks = describe_limits(GOOD._replace(**changed))
    assert len(remarks) == bool(told)
    assert told in "".join(remarks)
