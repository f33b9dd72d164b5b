"""The grid: one scale for all faces, values in px of the grid or of the frame."""

import numpy as np
import pytest

from services.roi_au.grid import to_grid
from services.roi_au.roi import cut_flow_patches
from shared.errors import BadData
from shared.stage_settings.roi_au import ROI_AU_PROFILES

CORRECTED = ROI_AU_PROFILES["corrected"]


def face(eyes: float, centre: tuple[float, float]) -> np.ndarray:
    """[68, 2] landmarks, px, of a schematic face with this distance between the eyes: brows above, mouth below."""
    points = np.zeros((68, 2))
    points[17:27] = np.stack([np.linspace(-0.9, 0.9, 10), np.full(10, -0.4)], axis=1)
    points[36:42], points[42:48] = (-0.5, 0), (0.5, 0)
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    points[48:68] = np.stack([0.4 * np.cos(angle), 1 + 0.2 * np.sin(angle)], axis=1)
    return np.asarray(points * eyes + centre)


def coordinates(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows])[None].astype(np.float32)


@pytest.mark.parametrize("eyes", [20.0, 55.0, 97.3, 110.0, 260.0])
def test_a_patch_covers_the_same_share_of_every_face(eyes: float) -> None:
    height, width = round(3 * eyes), round(2.6 * eyes)
    landmarks = face(eyes, (1.3 * eyes, 1.2 * eyes))
    settings = CORRECTED.model_copy(update={"flow_units": "frame"})
    flows, points = to_grid(coordinates(height, width), landmarks, settings)
    cut = cut_flow_patches(flows, points, settings)[0]
    step = eyes / 55
    assert np.diff(cut[0], axis=-1) == pytest.approx(step, rel=0.06)  # a mean of whole px is a few % of one off
    assert np.diff(cut[1], axis=-2) == pytest.approx(step, rel=0.06)
    roi = landmarks[np.r_[17:27, 48:68]].T
    assert np.abs(cut[:, :, 3, 3] - roi).max() <= 0.55 * step  # the nearest point of the grid
    distance = np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0))
    assert distance == pytest.approx(55, rel=0.02)


def test_a_motion_of_one_grid_px_is_the_same_number_for_every_camera() -> None:
    for eyes in (30, 60, 150):
        landmarks = face(eyes, (1.3 * eyes, 1.2 * eyes))
        motion = np.full((1, 2, 3 * eyes, 3 * eyes), eyes / 55)
        in_grid = cut_flow_patches(*to_grid(motion, landmarks, CORRECTED))
        assert in_grid == pytest.approx(1, rel=0.02)
        unscaled = CORRECTED.model_copy(update={"flow_units": "frame"})
        assert cut_flow_patches(*to_grid(motion, landmarks, unscaled)) == pytest.approx(eyes / 55, rel=1e-6)


def test_eye_distance_of_55_px_leaves_the_flow_as_it_is() -> None:
    flows = np.random.default_rng(0).normal(size=(2, 2, 160, 150)).astype(np.float32)
    landmarks = np.rint(face(55, (75, 60)))
    scale = 55 / np.linalg.norm(landmarks[36] - landmarks[42])
    assert scale != 1  # whole px: 56
    settings = CORRECTED.model_copy(update={"eye_distance": 55 / scale})
    assert (cut_flow_patches(*to_grid(flows, landmarks, settings)) == cut_flow_patches(flows, landmarks)).all()


def test_noise_falls_where_the_grid_is_coarser() -> None:
    noise = np.random.default_rng(0).normal(size=(1, 2, 400, 400)).astype(np.float32)
    settings = CORRECTED.model_copy(update={"flow_units": "frame"})
    cut = cut_flow_patches(*to_grid(noise, face(110, (200, 150)), settings), settings)
    assert 0.4 < cut.std() < 0.51  # the mean of 2x2 values, more where it straddles px


@pytest.mark.parametrize("axis", [2, 3])
def test_stripes_finer_than_the_grid_average_out(axis: int) -> None:
    stripes = np.where(np.indices((1, 2, 500, 500))[axis] % 2, 1.0, -1.0)
    settings = CORRECTED.model_copy(update={"flow_units": "frame"})
    cut = cut_flow_patches(*to_grid(stripes, face(165, (250, 190)), settings), settings)
    assert np.abs(cut).max() < 0.4  # one px of three is left over


def test_the_border_beyond_the_frame_is_replicated() -> None:
    landmarks = face(110, (60, 20))  # brows above the frame, half the face left of it
    flows, points = to_grid(coordinates(300, 300), landmarks, CORRECTED.model_copy(update={"flow_units": "frame"}))
    cut = cut_flow_patches(flows, points)
    assert cut[0, 1, :10].max() < 2
    assert cut[0, 0, 0].max() < 2
    away = to_grid(coordinates(300, 300), landmarks - 5000, CORRECTED)
    assert np.ptp(cut_flow_patches(*away), axis=(3, 4)).max() == 0


def test_paper_stretches_to_128_and_keeps_the_values() -> None:
    height, width = 256, 64
    landmarks = np.random.default_rng(2).uniform([8, 8], [56, 248], (68, 2))
    flows, points = to_grid(coordinates(height, width), landmarks, "paper")
    assert flows.shape == (1, 2, 128, 128)
    assert np.allclose(points, (landmarks + 0.5) * (2, 0.5) - 0.5)
    assert flows[0, 0, 50, 100] == pytest.approx(100 / 2 - 0.25)  # still px of the frame, though u's px halved
    assert flows[0, 1, 50, 100] == pytest.approx(2 * 50 + 0.5)
    in_grid = to_grid(
        coordinates(height, width), landmarks, ROI_AU_PROFILES["paper"].model_copy(update={"flow_units": "grid"})
    )
    assert np.allclose(in_grid[0][0, 0], 2 * flows[0, 0])
    assert np.allclose(in_grid[0][0, 1], flows[0, 1] / 2)


def test_paper_takes_128_px_as_they_are() -> None:
    flows = np.random.default_rng(3).normal(size=(2, 2, 128, 128)).astype(np.float32)
    landmarks = face(40, (64, 50))
    same, points = to_grid(flows, landmarks, "paper")
    assert (same == flows).all()
    assert (points == landmarks).all()


def test_any_leading_shape() -> None:
    flows = np.random.default_rng(4).normal(size=(2, 3, 2, 90, 80)).astype(np.float16)
    landmarks = face(30, (40, 35))
    both, points = to_grid(flows, landmarks)
    assert both.shape[:3] == (2, 3, 2)
    assert both.dtype == np.float32
    one, same_points = to_grid(flows[1], landmarks)
    assert (both[1] == one).all()
    assert (points == same_points).all()


def test_eyes_that_coincide() -> None:
    with pytest.raises(BadData, match=r"eyes at least 8 px apart, got 3.0 px"):
        to_grid(coordinates(60, 60), face(3, (30, 30)))
