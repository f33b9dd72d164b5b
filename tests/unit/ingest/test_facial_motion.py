import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.ingest.crop import crop_around_face, cut_crop
from services.ingest.facial_motion import measure_skin_motion
from shared.faces import largest_face

INNER = np.pad(np.ones((216, 160), bool), 32)  # what a moving head does not push over the border
MOUTH = (116.0, 178.0)  # in the crop, px, read off the picture


@pytest.fixture(scope="module")
def crop(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cut_crop(face, crop_around_face(largest_face(face), 280, 224, 0.2), 280, 224)


def turned(image: NDArray[np.uint8], degrees: float, x: float, y: float) -> NDArray[np.uint8]:
    matrix = cv2.getRotationMatrix2D((112, 140), degrees, 1.01)
    matrix[:, 2] += x, y
    return np.asarray(
        cv2.warpAffine(image, matrix, (224, 280), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def raised(image: NDArray[np.uint8], pixels: float) -> NDArray[np.uint8]:
    """The mouth rises by so many px, less with the distance from its middle: 11 % of the face by over half."""
    y, x = np.mgrid[:280, :224].astype(np.float32)
    bump = np.exp(-((x - MOUTH[0]) ** 2 + (y - MOUTH[1]) ** 2) / (2 * 30**2))
    return np.asarray(cv2.remap(image, x, y + np.float32(pixels) * bump, cv2.INTER_CUBIC), np.uint8)


def test_what_does_not_move_has_no_motion(crop: NDArray[np.uint8]) -> None:
    np.testing.assert_allclose(measure_skin_motion([crop] * 3, 0, INNER, 1.0), 0, atol=0.02)


def test_a_head_that_turns_and_shifts_is_still(crop: NDArray[np.uint8]) -> None:
    """Up to 4 px and 3 degrees, reached in steps: the flow alone would say 10 px, not stabilised it leaves 0.24."""
    frames = [turned(crop, 3 * step, 4 * step, -2 * step) for step in np.linspace(0, 1, 9)]
    assert measure_skin_motion(frames, 0, INNER, 1.0).max() < 0.19


@pytest.mark.parametrize("pixels", [1.0, 3.0])
def test_skin_that_moves_is_measured_in_px(crop: NDArray[np.uint8], pixels: float) -> None:
    still, moved = measure_skin_motion([crop, raised(crop, pixels)], 0, INNER, 1.0)
    assert still < 0.05
    assert 0.5 * pixels < moved < pixels  # the mean over the tenth that moves most


def test_skin_that_moves_on_a_head_that_moves(crop: NDArray[np.uint8]) -> None:
    held, shifted = measure_skin_motion([raised(crop, 3.0), turned(raised(crop, 3.0), 0.5, 2.0, 1.0)], 0, INNER, 1.0)
    assert held < shifted < 0.2
    moved = measure_skin_motion([crop, turned(raised(crop, 3.0), 0.5, 2.0, 1.0)], 0, INNER, 1.0)[1]
    assert 0.5 * 3 < moved < 3


def test_only_the_mask_counts(crop: NDArray[np.uint8]) -> None:
    brow = INNER.copy()
    brow[80:] = False
    assert measure_skin_motion([crop, raised(crop, 3.0)], 0, brow, 1.0)[1] < 0.3


def test_the_reference_can_be_any_frame(crop: NDArray[np.uint8]) -> None:
    there, still = measure_skin_motion([crop, raised(crop, 3.0)], -1, INNER, 1.0)
    assert still < 0.05
    assert 1.5 < there < 3
