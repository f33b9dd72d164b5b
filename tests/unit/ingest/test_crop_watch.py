import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.ingest.crop import crop_around_face, cut_crop
from services.ingest.crop_watch import CropWatch
from services.ingest.picture_likeness import SAME_PICTURE, measure_likeness, measure_shifted_likeness, shrink_picture
from shared.errors import BadData
from shared.faces import largest_face


@pytest.fixture
def wide(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.pad(face, ((0, 0), (150, 150), (0, 0)), mode="edge")


def watch(frames: list[NDArray[np.uint8]]) -> None:
    box = largest_face(frames[0])
    crop = crop_around_face(box, 280, 224, 0.2)
    views = [cut_crop(frame, crop, 280, 224) for frame in frames]
    watcher = CropWatch(box, "f0", views[0])
    for number, (frame, view) in enumerate(zip(frames[1:], views[1:], strict=True), 1):
        watcher.check_frame(f"f{number}", frame, view)


def test_noise_light_blur_and_small_motion_go_on(wide: NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).normal(0, 12, wide.shape)
    frames = [
        wide,
        np.clip(wide + noise, 0, 255).astype(np.uint8),
        wide // 2,
        np.clip(wide * 1.5, 0, 255).astype(np.uint8),
        np.asarray(cv2.GaussianBlur(wide, (0, 0), 4), np.uint8),
        *[np.roll(wide, shift, axis=1) for shift in (6, 12, 18, 8)],
    ]
    watch(frames)


@pytest.mark.parametrize("other", ["black", "upside down", "noise", "mirrored"])
def test_another_picture_is_a_cut(wide: NDArray[np.uint8], other: str) -> None:
    shown = {
        "black": np.zeros_like(wide),
        "upside down": wide[::-1],
        "noise": np.random.default_rng(0).integers(0, 255, wide.shape, np.uint8),
        "mirrored": np.roll(wide[:, ::-1], -60, axis=1),
    }[other]
    with pytest.raises(BadData, match=r"^f2: expected the face to go on from f1, got another picture in its place"):
        watch([wide, wide // 2 + 9, np.ascontiguousarray(shown)])


def test_a_face_that_slides_out_is_lost_without_a_cut(wide: NDArray[np.uint8]) -> None:
    with pytest.raises(BadData, match=r"^f(\d|1\d): expected the face of f0 in its crop until the offset, got none"):
        watch([np.roll(wide, 6 * step, axis=1) for step in range(25)])


def test_likeness_does_not_depend_on_the_light_and_little_on_a_shift(face: NDArray[np.uint8]) -> None:
    one = shrink_picture(face)
    assert measure_likeness(one, 0.3 * one + 20) == pytest.approx(1)
    assert measure_likeness(one, np.full_like(one, 7)) == measure_shifted_likeness(one, np.full_like(one, 7)) == 0
    shifted = np.roll(one, 3, axis=1)
    assert measure_likeness(one, shifted) < measure_shifted_likeness(one, shifted)
    assert measure_shifted_likeness(one, shifted) > 0.95
    assert measure_likeness(one, shrink_picture(face[::-1])) < SAME_PICTURE
