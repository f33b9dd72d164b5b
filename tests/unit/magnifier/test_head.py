"""Head motion is found and removed beside an expression or a resting background; a resting head is left alone."""

import numpy as np
import pytest

from services.magnifier import evm, head
from services.magnifier.settings import PROFILES

AS_RECORDED = PROFILES["corrected"].model_copy(update={"head": "as-recorded"})
SIZE = (140, 112)
MOTION = np.array([[0, 0, 0, 0], [0.4, -0.3, 0.002, 0], [0.9, -0.7, 0.004, 0.003], [-1.2, 1.6, -0.007, -0.004]])


def places(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) of every pixel from the centre, px."""
    y, x = np.mgrid[:height, :width].astype(float)
    return x - (width - 1) / 2, y - (height - 1) / 2


def picture(x: np.ndarray, y: np.ndarray, seed: int = 1) -> np.ndarray:
    """A texture with a closed form, which can be moved without resampling: [H, W, 3] between 0 and 1."""
    rng = np.random.default_rng(seed)
    waves = [np.sin(rng.normal(0, 0.25) * x + rng.normal(0, 0.25) * y + rng.uniform(0, 6)) for _ in range(30)]
    return np.repeat((0.5 + 0.06 * np.sum(waves, 0))[..., None], 3, -1).clip(0, 1)


def source(motion: np.ndarray, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Source of each pixel of a picture whose content moved by (x px, y px, turn, scale) about its centre."""
    x, y = places(*size)
    linear = np.linalg.inv([[1 + motion[3], -motion[2]], [motion[2], 1 + motion[3]]])
    back = np.einsum("ij,jhw->ihw", linear, np.stack([x - motion[0], y - motion[1]]))
    return back[0], back[1]


def clip(motions: np.ndarray = MOTION, noise: float = 0.0) -> np.ndarray:
    still = np.stack([picture(*source(motion)) for motion in motions])
    return still + np.random.default_rng(2).normal(0, noise, still.shape)


def inside(frames: np.ndarray, border: int = 12) -> np.ndarray:
    return frames[:, border:-border, border:-border]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_head_that_moves_turns_and_nears_is_put_back(dtype: type) -> None:
    moving = clip().astype(dtype)
    before = np.abs(inside(moving) - inside(moving)[:1]).max()
    steady = head.steady_frames(moving.copy())
    assert steady.dtype == dtype
    assert before > 0.25
    assert np.abs(inside(steady) - inside(steady)[:1]).max() < 0.02


def test_the_motion_is_found_through_noise() -> None:
    """With noise of 1.5 grey levels the error is hundredths of a px over a face of 140 px."""
    levels = [head.luma_levels(frame) for frame in clip(noise=1.5 / 255)]
    for levels_of_one, true in zip(levels[1:], MOTION[1:], strict=True):
        found = np.zeros(4)
        for reference, grey in zip(levels[0], levels_of_one, strict=True):
            found = head.ReferencePicture(reference).estimate_motion(grey, found)
        assert (np.abs(found * [140, 140, 1, 1] - true) < [0.02, 0.02, 4e-4, 4e-4]).all()


def test_a_still_head_stays_to_the_bit() -> None:
    still = np.repeat(clip(MOTION[:1]), 4, 0)
    np.testing.assert_array_equal(head.steady_frames(still.copy()), still)


def test_what_expresses_does_not_count_and_stays() -> None:
    """A brow is raised by 2.5 px while the head drifts: the head is steadied, and the brow stays raised."""
    x, y = places(*SIZE)
    brow = np.exp(-((x + 20) ** 2 + (y + 30) ** 2) / (2 * 8**2))
    raised = picture(x, y + 2.5 * brow)
    head_x, head_y = source(MOTION[2])
    both = picture(head_x, head_y + 2.5 * np.exp(-((head_x + 20) ** 2 + (head_y + 30) ** 2) / (2 * 8**2)))
    steady = head.steady_frames(np.stack([picture(x, y), both]))[1]
    assert np.abs(raised - picture(x, y)).max() > 0.1
    assert np.abs(inside(steady[None] - raised)).max() < 0.03


def test_a_background_that_rests_does_not_hold_the_head() -> None:
    """A third of the picture, with a texture of its own, stays where it is."""
    moving = clip()
    backdrop = picture(*places(*SIZE), seed=7)
    moving[:, :, :18] = backdrop[:, :18]
    moving[:, :, -18:] = backdrop[:, -18:]
    steady = head.steady_frames(moving.copy())
    assert np.abs(steady[:, 15:-15, 25:-25] - steady[:1, 15:-15, 25:-25]).max() < 0.03


def test_a_long_way_is_found_from_coarse_to_fine() -> None:
    far = clip(np.array([[0, 0, 0, 0], [13.5, -9.5, 0, 0]]))
    steady = head.steady_frames(far.copy())
    assert np.abs(inside(steady, 24) - inside(steady, 24)[:1]).max() < 0.02


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_flat_pictures_tell_nothing(value: float) -> None:
    flat = np.full((4, *SIZE, 3), value)
    np.testing.assert_array_equal(head.steady_frames(flat.copy()), flat)


@pytest.mark.parametrize("size", [(1, 200), (200, 1), (12, 12), (30, 30)])
def test_pictures_too_small_are_left_alone(size: tuple[int, int]) -> None:
    small = np.random.default_rng(4).random((3, *size, 3))
    np.testing.assert_array_equal(head.steady_frames(small.copy()), small)


def test_bars_in_one_direction_move_in_that_only() -> None:
    """The motion along the bars is unknown: no drift may be invented."""
    x, _ = places(*SIZE)
    bars = np.stack([0.5 + 0.3 * np.cos(2 * np.pi * (x - shift) / 16) for shift in (0, 0.8)])[..., None].repeat(3, -1)
    first, later = (head.luma_levels(frame) for frame in bars)
    found = head.ReferencePicture(first[1]).estimate_motion(later[1], np.zeros(4)) * 140
    np.testing.assert_allclose(found[:2], [0.8, 0], atol=0.02)


def test_a_cut_to_another_picture_does_not_make_it_worse() -> None:
    x, y = places(*SIZE)
    cut = np.stack([picture(x, y), picture(x, y, seed=9), picture(x, y)])
    steady = head.steady_frames(cut.copy())
    assert np.isfinite(steady).all()
    assert np.median(np.abs(steady[1] - cut[0])) <= np.median(np.abs(cut[1] - cut[0])) * 1.02
    assert np.abs(inside(steady)[2] - inside(cut)[0]).max() < 0.05


@pytest.mark.parametrize("seed", range(8))
def test_a_search_that_strays_ends_where_it_was_nearest(seed: int) -> None:
    first, other = np.random.default_rng(seed).random((2, 40, 32)).astype(np.float32)
    reference = head.ReferencePicture(first)

    def spread(motion: np.ndarray) -> float:
        return float(np.median(np.abs(head.warp_by_motion(other, motion)[reference.inner] - reference.values)))

    assert spread(reference.estimate_motion(other, np.zeros(4))) <= spread(np.zeros(4))


@pytest.mark.parametrize("steps", [0.5, 0.25])
def test_reading_is_finer_than_opencvs_steps(steps: float) -> None:
    """With slopes of 0.1 per px, an error of half a step would change a value by 1.6e-3."""
    x, y = places(*SIZE)
    shift = steps / 32
    read = head.warp_by_motion(picture(x, y), np.array([shift / 140, -shift / 140, 0, 0]))
    assert np.abs(inside((read - picture(x + shift, y - shift))[None])).max() < 1.2e-3
    assert np.abs(inside((read - picture(x + shift, y - shift))[None])).mean() < 1e-4


def test_the_drift_of_a_head_is_not_magnified() -> None:
    moving = clip(MOTION[:3]).astype(np.float32)
    steady, magnified = (evm.magnify(moving, [3.0], settings, 40.0)[0] for settings in ("corrected", AS_RECORDED))
    assert np.abs(inside(magnified) - inside(moving)[:1]).max() > 0.3
    assert np.abs(inside(steady) - inside(moving)[:1]).max() < 0.03
