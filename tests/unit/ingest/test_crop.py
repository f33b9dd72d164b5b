import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.ingest.crop import Crop, crop_around_face, cut_crop, fit_frame
from shared.faces import largest_face
from shared.stage_settings.ingest import IngestSettings

side = st.integers(40, 400)


@given(st.integers(-50, 300), st.integers(-50, 300), side, side, side)
def test_the_crop_keeps_the_aspect_and_the_centre(left: int, top: int, size: int, height: int, width: int) -> None:
    crop = crop_around_face((left, top, left + size - 1, top + size - 1), height, width, 0.2)
    assert crop.width == round(1.4 * size)
    assert abs(crop.height - crop.width * height / width) <= 0.5
    assert abs(crop.left + crop.width / 2 - (left + size / 2)) <= 0.5
    assert abs(crop.top + crop.height / 2 - (top + size / 2)) <= 0.5


def test_at_its_own_size_the_crop_is_a_slice(face: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(cut_crop(face, Crop(30, 20, 100, 125), 125, 100), face[20:145, 30:130])


def test_beyond_the_frame_its_border_is_replicated(face: NDArray[np.uint8]) -> None:
    out = cut_crop(face, Crop(-10, 200, 50, 60), 60, 50)
    np.testing.assert_array_equal(out[:40, 10:], face[200:, :40])
    np.testing.assert_array_equal(out[:40, :10], np.repeat(face[200:, :1], 10, axis=1))
    np.testing.assert_array_equal(out[40:], np.repeat(out[39:40], 20, axis=0))


def test_shrinking_averages_areas() -> None:
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[::2] = 200
    np.testing.assert_array_equal(cut_crop(frame, Crop(0, 0, 64, 64), 32, 32), np.full((32, 32, 3), 100))


@pytest.mark.parametrize(("height", "width"), [(280, 224), (100, 200), (500, 100)])
def test_a_ready_crop_is_scaled_by_one_factor_and_centred(height: int, width: int) -> None:
    """A disc stays a disc: pixels stay square."""
    y, x = np.mgrid[:150, :120]
    disc = np.repeat(((np.hypot(x - 59.5, y - 74.5) < 40) * 255)[:, :, None], 3, axis=2).astype(np.uint8)
    out = fit_frame(disc, height, width)[:, :, 0] > 127
    assert out.shape == (height, width)
    rows, columns = np.flatnonzero(out.any(1)), np.flatnonzero(out.any(0))
    assert abs(len(rows) - len(columns)) <= 2
    assert abs(len(rows) - 80 * min(height / 150, width / 120)) <= 2
    assert abs(rows.mean() - (height - 1) / 2) <= 1
    assert abs(columns.mean() - (width - 1) / 2) <= 1


def test_a_ready_crop_of_the_right_size_is_untouched(face: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(fit_frame(face, *face.shape[:2]), face)


def test_the_face_is_found_again_in_its_crop(face: NDArray[np.uint8]) -> None:
    """The margin leaves the detector enough of the head, and the box comes out at 1 / (1 + 2 margin) of the width."""
    settings = IngestSettings()
    crop = crop_around_face(largest_face(face), settings.height, settings.width, settings.margin)
    left, top, right, bottom = largest_face(cut_crop(face, crop, settings.height, settings.width))
    assert right - left == pytest.approx(settings.width / 1.4, rel=0.15)
    assert (left + right) / 2 == pytest.approx(settings.width / 2, abs=0.08 * settings.width)
    assert (top + bottom) / 2 == pytest.approx(settings.height / 2, abs=0.08 * settings.height)
