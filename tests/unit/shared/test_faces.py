"""The largest face, in whole images and in tight crops of many sizes."""

import cv2
import numpy as np
import pytest
import skimage.data

from shared import faces
from shared.errors import BadData

HEAD = np.s_[30:220, 130:320]  # of the astronaut, with hair and helmet
TIGHT = np.s_[74:184, 174:278]  # from the brows' upper edge to the chin
CENTRE = (222, 128)  # of the face, px of the astronaut


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return np.asarray(skimage.data.astronaut())


def scene(astronaut: np.ndarray, left: int, right: int) -> np.ndarray:
    """Two heads of these sides, px, beside each other on plain grey."""
    canvas = np.full((320, 680, 3), 128, dtype=np.uint8)
    for column, side in ((20, left), (350, right)):
        canvas[5 : 5 + side, column : column + side] = cv2.resize(astronaut[HEAD], (side, side))
    return canvas


@pytest.mark.parametrize("upsample", [0, 1])
def test_the_largest_of_two_faces(astronaut: np.ndarray, upsample: int) -> None:
    for left, right in ((310, 190), (190, 310)):
        frame = scene(astronaut, left, right)
        assert len(faces.detect_faces(frame, upsample)) >= 2
        box = faces.largest_face(frame, upsample)
        assert (box[0] < 340) == (left > right)
        assert box[2] - box[0] > 110


def test_a_badge_is_no_face_however_large(astronaut: np.ndarray) -> None:
    found = faces.detect_faces(astronaut, 1)
    assert [d.box for d in faces.drop_weak_detections(found)] == [(175, 76, 265, 166)]
    assert len(found) == 2  # the second is the badge on the suit
    larger_badge = [found[0], faces.FaceDetection((0, 300, 400, 511), 0.12)]
    assert faces.largest_face(astronaut, detect=lambda pixels, upsample: larger_badge) == found[0].box


@pytest.mark.parametrize("height", [72, 96, 128, 140, 200, 280, 400])
@pytest.mark.parametrize("margin", [-5, 0, 12, 40])
def test_tight_crops_of_many_sizes(astronaut: np.ndarray, height: int, margin: int) -> None:
    rows, columns = slice(74 - margin, 184 + margin), slice(174 - margin, 278 + margin)
    crop = astronaut[rows, columns]
    scale = height / crop.shape[0]
    frame = cv2.resize(crop, (round(crop.shape[1] * scale), height), interpolation=cv2.INTER_AREA)
    left, top, right, bottom = faces.largest_face(frame)
    centre = np.array([(left + right) / 2, (top + bottom) / 2]) / scale + (columns.start, rows.start)
    assert np.abs(centre - CENTRE).max() < 20
    assert 70 < (right - left) / scale < 135


def test_a_crop_that_the_plain_search_misses(astronaut: np.ndarray) -> None:
    frame = cv2.resize(astronaut[30:220, 130:320], (96, 96), interpolation=cv2.INTER_AREA)
    assert not faces.detect_faces(frame, 0)
    left, top, right, bottom = faces.largest_face(frame, 0)
    assert (left + right) / 2 == pytest.approx((CENTRE[0] - 130) * 96 / 190, abs=5)
    assert (top + bottom) / 2 == pytest.approx((CENTRE[1] - 30) * 96 / 190, abs=5)


def test_the_same_frame_gives_the_same_box(astronaut: np.ndarray) -> None:
    frame = astronaut[TIGHT]
    assert faces.largest_face(frame) == faces.largest_face(np.asfortranarray(frame)) == faces.largest_face(frame)


def test_a_box_is_cut_to_its_frame() -> None:
    assert faces.clip_box((-7, 3, 120, 99), height=80, width=100) == (0, 3, 99, 79)


def test_no_face_says_what_to_do() -> None:
    texture = np.random.default_rng(3).integers(0, 256, (120, 90, 3), dtype=np.uint8)
    with pytest.raises(BadData, match=r"expected one face.*none in a 120x90 frame.*crop it to that face"):
        faces.largest_face(texture)


def test_a_large_frame_is_not_enlarged_further() -> None:
    tried: list[int] = []

    def detect_nothing(pixels: np.ndarray, upsample: int) -> list[faces.FaceDetection]:
        tried.append(upsample)
        return []

    for side, expected in ((2000, [0, 0]), (1000, [0, 0, 1])):
        tried.clear()
        with pytest.raises(BadData):
            faces.largest_face(np.zeros((side, side, 3), dtype=np.uint8), 0, detect_nothing)
        assert tried == expected


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (np.zeros((90, 80), dtype=np.uint8), r"HxWx3, got shape 90x80; repeat the plane"),
        (np.zeros((90, 80, 1), dtype=np.uint8), r"HxWx3, got shape 90x80x1"),
        (np.zeros((5, 90, 80, 3), dtype=np.uint8), r"HxWx3, got shape 5x90x80x3"),
        (np.zeros((0, 80, 3), dtype=np.uint8), r"HxWx3, got shape 0x80x3"),
        (np.zeros((90, 80, 3), dtype=np.uint16), r"uint8 0..255, got uint16; scale"),
        (np.zeros((90, 80, 3)), r"uint8 0..255, got float64; scale"),
    ],
)
def test_what_is_no_rgb_frame(frame: np.ndarray, sentence: str) -> None:
    with pytest.raises(BadData, match=sentence):
        faces.largest_face(frame)


@pytest.mark.parametrize("shape", [(8, faces.LONGEST_SIDE + 1, 3), (faces.LONGEST_SIDE + 1, 8, 3)])
def test_a_frame_that_is_too_long_for_the_detectors_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(BadData, match=r"a frame of at most 16384 px a side, got one of 16385 px"):
        faces.search_faces(np.zeros(shape, np.uint8))
