"""Head motion and light are found together and removed, beside an expression or a background; what rests stays."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from services.magnifier import evm
from shared.registration import alignment
from shared.registration.alignment import align_frames
from shared.registration.reference import ReferencePicture
from shared.registration.warping import read_displaced
from shared.stage_settings.magnifier import MAGNIFIER_PROFILES

SIZE = (140, 112)
# shift x, y (px), roll (rad), scale, turn and nod (px at one unit of depth)
MOTION = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [0.4, -0.3, 0.002, 0, 0.5, -0.2],
        [0.9, -0.7, 0.004, 0.003, 1.1, 0.6],
        [-1.2, 1.6, -0.007, -0.004, -0.8, 0.9],
        [-0.8, 1.1, -0.003, -0.002, -1.5, 0.4],
    ]
)
LIGHT = np.array([[0, 0, 0], [0.01, 0.02, 0], [-0.015, 0.05, -0.02], [0.004, -0.04, 0.03], [-0.01, 0.03, 0.05]])


def places(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) of every pixel from the centre, px."""
    y, x = np.mgrid[:height, :width].astype(float)
    return x - (width - 1) / 2, y - (height - 1) / 2


def picture(x: np.ndarray, y: np.ndarray, seed: int = 1) -> np.ndarray:
    """A texture with a closed form, which can be moved without resampling: [H, W, 3] between 0 and 1."""
    rng = np.random.default_rng(seed)
    waves = [np.sin(rng.normal(0, 0.25) * x + rng.normal(0, 0.25) * y + rng.uniform(0, 6)) for _ in range(30)]
    return np.repeat((0.5 + 0.06 * np.sum(waves, 0))[..., None], 3, -1).clip(0, 1)


def depth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A face's depth: 1 at its vertex, which is not in the middle of the picture."""
    return 1 - ((x - 9) / 60) ** 2 - 0.4 * ((y + 12) / 70) ** 2


def source(motion: np.ndarray, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Source of each pixel of a picture whose content moved as one head."""
    x, y = places(*size)
    shift_x, shift_y, roll, scale, turn, nod = motion
    from_x, from_y = x.copy(), y.copy()
    for _ in range(20):  # a fixed point: the depth belongs to the source
        from_x = x - (shift_x + scale * from_x - roll * from_y + turn * depth(from_x, from_y))
        from_y = y - (shift_y + scale * from_y + roll * from_x + nod * depth(from_x, from_y))
    return from_x, from_y


def lit(frame: np.ndarray, light: np.ndarray) -> np.ndarray:
    x, y = places(*frame.shape[:2])
    return frame * (1 + light[0] + light[1] * x / 140 + light[2] * y / 140)[..., None]


def clip(motions: np.ndarray = MOTION, noise: float = 0.0, lights: np.ndarray | None = None) -> np.ndarray:
    lights = np.zeros((len(motions), 3)) if lights is None else lights
    frames = np.stack([lit(picture(*source(motion)), light) for motion, light in zip(motions, lights, strict=True)])
    return frames + np.random.default_rng(2).normal(0, noise, frames.shape)


def inside(frames: np.ndarray, border: int = 12) -> np.ndarray:
    return frames[:, border:-border, border:-border]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("noise", [0.0, 1.5 / 255])
def test_a_head_that_moves_and_turns_in_uneven_light_is_put_back(dtype: type, noise: float) -> None:
    moving = clip(noise=noise, lights=LIGHT).astype(dtype)
    rest = clip(MOTION[:1]).astype(dtype)
    before = np.abs(inside(moving) - inside(rest)).mean(axis=(1, 2, 3))
    steady = align_frames(moving.copy())
    assert steady.dtype == dtype
    assert before[2:].min() > 0.03
    assert np.abs(inside(gaussian_filter(steady, (0, 2, 2, 0)) - gaussian_filter(rest, (0, 2, 2, 0)))).mean() < 0.0012


def test_head_and_light_can_be_removed_alone() -> None:
    """Motion is not mistaken for light, nor light for motion."""
    moving = clip(lights=LIGHT)
    rest = clip(MOTION[:1])
    dark = align_frames(moving.copy(), even_light=False)
    assert np.abs(inside(dark / lit_factors(LIGHT) - rest)).mean() < 0.004
    shaken = align_frames(moving.copy(), steady_head=False)
    assert np.abs(inside(shaken - clip())).mean() < 0.002
    np.testing.assert_array_equal(align_frames(moving.copy(), steady_head=False, even_light=False), moving)


def lit_factors(lights: np.ndarray) -> np.ndarray:
    return np.stack([lit(np.ones((*SIZE, 3)), light) for light in lights])


def test_flicker_is_removed_exactly() -> None:
    rest = np.repeat(clip(MOTION[:1]) * 0.7 + 0.1, 5, 0)
    flickering = rest * np.array([1.0, 1.01, 0.985, 1.3, 0.7])[:, None, None, None]
    np.testing.assert_allclose(align_frames(flickering.copy()), rest, atol=2e-4)


def test_flicker_and_drift_are_not_magnified() -> None:
    moving = clip(MOTION[:3] * [1, 1, 1, 1, 0.5, 0.5], lights=LIGHT[:3]).astype(np.float32)
    raw = MAGNIFIER_PROFILES["corrected"].model_copy(update={"head": "as-recorded", "light": "as-recorded"})
    steady, magnified = (evm.magnify_motion(moving, [3.0], settings, 40.0)[0] for settings in ("corrected", raw))
    assert np.abs(inside(magnified) - inside(moving)[:1]).max() > 0.3
    assert np.abs(inside(steady) - inside(moving)[:1]).max() < 0.05


def test_a_still_head_stays_to_the_bit() -> None:
    still = np.repeat(clip(MOTION[:1]), 4, 0)
    np.testing.assert_array_equal(align_frames(still.copy()), still)


def test_what_expresses_does_not_count_and_stays() -> None:
    """A brow is raised by 2.5 px while the head drifts and turns: the head is steadied, the brow stays raised."""
    x, y = places(*SIZE)
    brow = np.exp(-((x + 20) ** 2 + (y + 30) ** 2) / (2 * 8**2))
    raised = picture(x, y + 2.5 * brow)
    head_x, head_y = source(MOTION[2])
    both = picture(head_x, head_y + 2.5 * np.exp(-((head_x + 20) ** 2 + (head_y + 30) ** 2) / (2 * 8**2)))
    steady = align_frames(np.stack([picture(x, y), both]))[1]
    assert np.abs(raised - picture(x, y)).max() > 0.1
    assert np.abs(inside(steady[None] - raised)).max() < 0.06
    assert np.abs(inside(steady[None] - raised)).mean() < 0.006


def test_a_background_that_rests_does_not_hold_the_head() -> None:
    """A third of the picture, with a texture of its own, stays where it is."""
    moving = clip()
    backdrop = picture(*places(*SIZE), seed=7)
    moving[:, :, :18] = backdrop[:, :18]
    moving[:, :, -18:] = backdrop[:, -18:]
    steady = align_frames(moving.copy())
    assert np.abs(steady[:, 15:-15, 25:-25] - steady[:1, 15:-15, 25:-25]).max() < 0.05


def test_a_long_way_is_found_from_coarse_to_fine() -> None:
    far = clip(np.array([[0, 0, 0, 0, 0, 0], [13.5, -9.5, 0, 0, 0, 0]]))
    steady = align_frames(far.copy())
    assert np.abs(inside(steady, 24) - inside(steady, 24)[:1]).max() < 0.03


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_flat_pictures_stay(value: float) -> None:
    flat = np.full((4, *SIZE, 3), value)
    np.testing.assert_array_equal(align_frames(flat.copy()), flat)


def test_a_clipped_part_does_not_hide_the_light() -> None:
    """A quarter of the picture is overexposed in every frame."""
    factors = np.array([1, 1.04, 0.94])[:, None, None, None]
    rest = np.repeat(clip(MOTION[:1]) * 0.6 + 0.2, 3, 0)
    exposed = rest.copy()
    exposed[:, :70, :56] = 2
    aligned = align_frames((exposed * factors).clip(0, 1))
    np.testing.assert_allclose(aligned[:, 80:-5, 5:-5], rest[:, 80:-5, 5:-5], atol=3e-3)


@pytest.mark.parametrize("size", [(1, 200), (200, 1), (12, 12), (30, 30)])
def test_pictures_too_small_are_left_alone(size: tuple[int, int]) -> None:
    small = np.random.default_rng(4).random((3, *size, 3))
    np.testing.assert_array_equal(align_frames(small.copy()), small)


@pytest.mark.parametrize("size", [(32, 32), (40, 200), (200, 34)])
def test_small_and_long_pictures_are_aligned(size: tuple[int, int]) -> None:
    shifts = np.array([[0, 0], [0.7, -0.4]])
    x, y = places(*size)
    moving = np.stack([picture(x - right, y - down) for right, down in shifts])
    steady = align_frames(moving.copy())
    assert (
        np.abs(inside(steady, 6)[1] - inside(moving, 6)[0]).mean()
        < 0.4 * np.abs(np.diff(inside(moving, 6), axis=0)).mean()
    )


def test_bars_in_one_direction_move_in_that_only() -> None:
    """The motion along the bars is unknown: no drift may be invented."""
    x, _ = places(*SIZE)
    bars = np.stack([0.5 + 0.3 * np.cos(2 * np.pi * (x - shift) / 16) for shift in (0, 0.8)])[..., None].repeat(3, -1)
    steady = align_frames(bars.copy())
    assert np.abs(inside(steady)[1] - inside(bars)[0]).max() < 0.02


def test_a_cut_to_another_picture_does_not_make_it_worse() -> None:
    x, y = places(*SIZE)
    cut = np.stack([picture(x, y), picture(x, y, seed=9), picture(x, y)])
    steady = align_frames(cut.copy())
    assert np.isfinite(steady).all()
    assert np.median(np.abs(steady[1] - cut[0])) <= np.median(np.abs(cut[1] - cut[0])) * 1.02
    assert np.abs(inside(steady)[2] - inside(cut)[0]).max() < 0.05


@pytest.mark.parametrize("seed", range(8))
def test_a_search_that_strays_ends_where_it_was_nearest(seed: int) -> None:
    first, other = np.random.default_rng(seed).random((2, 40, 32)).astype(np.float32)
    reference = ReferencePicture(first, alignment.free_fields(first.shape))

    def spread(coefficients: np.ndarray) -> float:
        left = reference.read_through(other, coefficients) - reference.expect_values(coefficients)
        return float(np.median(np.abs(left)))

    start = np.zeros(alignment.FREE_TERMS + alignment.LIGHT_TERMS)
    assert spread(reference.fit_picture(other, start).coefficients) <= spread(start) * 1.02


@pytest.mark.parametrize("steps", [0.5, 0.25])
def test_reading_is_finer_than_opencvs_steps(steps: float) -> None:
    """With slopes of 0.1 per px, an error of half a step would change a value by 1.6e-3."""
    x, y = places(*SIZE)
    shift = steps / 32
    read = read_displaced(picture(x, y), np.broadcast_to(np.array([shift, -shift])[:, None, None], (2, *SIZE)))
    assert np.abs(inside((read - picture(x + shift, y - shift))[None])).max() < 1.2e-3
    assert np.abs(inside((read - picture(x + shift, y - shift))[None])).mean() < 1e-4
