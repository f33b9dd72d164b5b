import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.ingest.apex_spotting import face_mask, smooth_curve, smooth_uneven_curve, spot_apex
from services.ingest.crop import crop_around_face, cut_crop
from shared.faces import largest_face

FPS, BLUR, WINDOW = 200.0, 1.0, 0.02
MOUTH = ((80.0, 177.0), (152.0, 179.0))  # corners in the crop, px, read off the picture


@pytest.fixture(scope="module")
def crop(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cut_crop(face, crop_around_face(largest_face(face), 280, 224, 0.2), 280, 224)


def clip(crop: NDArray[np.uint8], peak: int, drift: float, flicker: float = 0.0) -> NDArray[np.uint8]:
    """41 frames: mouth corners rise by 2 px to the peak and sink again, the head drifts by `drift` px, noise of 3."""
    noise = np.random.default_rng(0)
    y, x = np.mgrid[:280, :224].astype(np.float32)
    field = sum(np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 18**2)) for cx, cy in MOUTH)
    frames = []
    for t in range(41):
        strength = t / peak if t <= peak else (40 - t) / (40 - peak)
        rise = np.float32(1 - np.cos(np.pi * strength)) * field
        moved = cv2.remap(crop, x + np.float32(drift * t / 40), (y + rise).astype(np.float32), cv2.INTER_CUBIC)
        lit = moved * (1 + flicker * np.sin(1.3 * t)) + noise.normal(0, 3, moved.shape)
        frames.append(np.clip(lit, 0, 255).astype(np.uint8))
    return np.stack(frames)


@pytest.mark.parametrize("peak", [12, 28])
@pytest.mark.parametrize(("drift", "flicker"), [(0.0, 0.0), (2.0, 0.0), (-2.0, 0.02)])
def test_the_drawn_apex_is_found_within_15_ms(crop: NDArray[np.uint8], peak: int, drift: float, flicker: float) -> None:
    assert abs(spot_apex(clip(crop, peak, drift, flicker), FPS, BLUR, WINDOW) - peak) <= 3


@pytest.mark.parametrize("peak", [12, 28])
def test_what_is_left_of_a_heads_turn_pulls_to_neither_end(crop: NDArray[np.uint8], peak: int) -> None:
    """A turn bends the picture by up to 3 px as no affine motion does: from one end alone the apex is the other."""
    y, x = np.mgrid[:280, :224].astype(np.float32)
    bend = np.stack([((x - 112) / 112) ** 2, ((y - 140) / 140) ** 2 / 2]).astype(np.float32)
    frames = [
        cv2.remap(frame, x + np.float32(bent) * bend[0], y + np.float32(bent) * bend[1], cv2.INTER_CUBIC)
        for bent, frame in zip(np.linspace(0, 3, 41), clip(crop, peak, 0.0), strict=True)
    ]
    assert abs(spot_apex(np.stack(frames).astype(np.uint8), FPS, BLUR, WINDOW) - peak) <= 3


def test_a_blink_outweighs_nothing(crop: NDArray[np.uint8]) -> None:
    """For 30 ms both eyes show the skin below them."""
    frames = clip(crop, 28, 0.0)
    for columns in (slice(62, 100), slice(138, 176)):
        frames[8:14, 97:115, columns] = frames[8:14, 118:119, columns]
    assert abs(spot_apex(frames, FPS, BLUR, WINDOW) - 28) <= 3


@pytest.mark.parametrize("length", [2, 3])
def test_the_shortest_clips(crop: NDArray[np.uint8], length: int) -> None:
    assert spot_apex(np.stack([crop] * length), FPS, BLUR, WINDOW) == 1


def test_never_an_end_even_of_a_still_clip(crop: NDArray[np.uint8]) -> None:
    assert 0 < spot_apex(np.stack([crop] * 6), FPS, BLUR, WINDOW) < 5


LONGEST = [pytest.param(size, marks=pytest.mark.exhaustive) for size in ((2048, 32), (32, 2048))]


@pytest.mark.parametrize("size", [(32, 32), (256, 32), (32, 256), *LONGEST])
def test_every_size_that_the_settings_allow(size: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (5, *size, 3), np.uint8)
    assert 0 < spot_apex(frames, FPS, BLUR, WINDOW) < 4


def test_without_a_face_the_middle_counts() -> None:
    mask = face_mask(np.full((100, 200, 3), 127, np.uint8))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (10, 89, 20, 179)


def test_smoothing_keeps_a_constant_and_the_length() -> None:
    np.testing.assert_allclose(smooth_curve(np.full(7, 3.0), 4.0), np.full(7, 3.0))
    np.testing.assert_array_equal(smooth_curve(np.arange(5.0), 0.0), np.arange(5.0))


@pytest.mark.parametrize("peak", [12, 28])
def test_the_apex_of_an_uneven_recording_is_smoothed_over_true_times(crop: NDArray[np.uint8], peak: int) -> None:
    """Around the peak every frame is there, elsewhere every third one."""
    kept = np.array([number for number in range(41) if number % 3 == 0 or abs(number - peak) < 4 or number == 40])
    index = spot_apex(clip(crop, peak, 0.0)[kept], FPS, BLUR, WINDOW, kept / FPS)
    assert abs(kept[index] - peak) <= 3


@given(st.lists(st.sampled_from([1, 2, 3]), min_size=30, max_size=60), st.floats(0.005, 0.02))
def test_a_smooth_curve_keeps_its_values_whatever_frames_are_missing(steps: list[int], sigma: float) -> None:
    """As the even recording's curve, up to what straight lines over a gap of 15 ms leave out."""
    numbers = np.concatenate([[0], np.cumsum(steps)])
    every = np.arange(numbers[-1] + 1)
    curve = np.sin(2 * np.pi * every / 60)
    uneven = smooth_uneven_curve(curve[numbers], numbers / FPS, FPS, sigma)
    np.testing.assert_allclose(uneven, smooth_curve(curve, sigma * FPS)[numbers], atol=0.02)


def test_smoothing_in_true_time_differs_from_smoothing_by_count() -> None:
    """One frame long before the others: by count it is the next one's neighbour."""
    times = np.array([0.0, 0.5, 0.505, 0.51, 0.515])
    curve = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
    assert smooth_uneven_curve(curve, times, FPS, 0.02)[2] < 0.03
    assert smooth_curve(curve, 0.02 * FPS)[2] > 0.3
