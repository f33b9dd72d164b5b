"""The training's samples: what moves, what stays, and what a camera adds."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from services.magnifier.magnet.generator import EASY, FULL, Difficulty, SampleGenerator, read_tiles
from services.magnifier.magnet.pictures import TILE, blur_pictures, draw_noise

QUIET = replace(FULL, noise=0.0, colour=0.0, still=0.0, layered=0.0)


@pytest.fixture(scope="module")
def tiles() -> Tensor:
    """Noise that no sample saturates."""
    return blur_pictures((draw_noise(torch.Generator().manual_seed(2), 2) - 128) * 0.4 + 128)


def test_equal_seeds_draw_equal_samples(tiles: Tensor) -> None:
    first, again, other = (SampleGenerator(tiles, 32, seed).draw_samples(3, FULL) for seed in (5, 5, 6))
    for name in ("first", "second", "second_plain", "clean", "wanted", "alpha"):
        assert getattr(first, name).equal(getattr(again, name))
        assert not getattr(first, name).equal(getattr(other, name))


def test_targets_end_where_a_camera_s_range_ends() -> None:
    """A pixel that is saturated before and after the motion has not changed, whatever the colours do."""
    bright = torch.full((1, 3, TILE, TILE), 250.0)
    loud = replace(FULL, colour=200.0, noise=0.0, layered=0.0)
    samples = SampleGenerator(bright, 32, 0).draw_samples(16, loud)
    for frames in (samples.second, samples.clean, samples.wanted):
        assert 0 <= frames.min() < frames.max() <= 255
    saturated = (samples.clean == 255) | (samples.clean == 0)
    assert saturated.any()
    assert ((samples.second - samples.clean).abs() <= 1).all()


@pytest.mark.parametrize("difficulty", [EASY, FULL])
def test_motion_and_factor_stay_within_their_ranges(tiles: Tensor, difficulty: Difficulty) -> None:
    field, alpha = SampleGenerator(tiles, 48, 0).draw_motion(200, difficulty)
    longest = field.norm(dim=-1).amax((1, 2))
    low, high = difficulty.motion
    assert low * 0.99 <= longest.min() < 1.5 * low
    assert high * 0.7 < longest.max() <= high * 1.01
    assert alpha.min() >= 0.5
    assert alpha.max() <= difficulty.alpha[1] * 1.001
    allowed = torch.maximum((1 + alpha).view(-1) * longest, 1.5 * longest) <= difficulty.magnified * 1.01
    assert allowed.all()


def test_the_picture_moves_as_far_as_the_field_says(tiles: Tensor) -> None:
    """A tile that is a ramp along x shows the displacement in its grey levels."""
    ramp = torch.arange(TILE, dtype=torch.float32).expand(1, 3, TILE, TILE)
    straight = torch.tensor([[[1.0, 0.0, 95.5], [0.0, 1.0, 95.5]]])
    field = torch.zeros(1, 16, 16, 2)
    field[..., 0] = 1.3
    still, moved = (read_tiles(ramp, straight, displacement) for displacement in (0 * field, field))
    torch.testing.assert_close(still[0, 0, 0], torch.arange(88.0, 104.0), rtol=0, atol=1e-3)
    # torch's cubic follows a ramp within 0.05 px
    torch.testing.assert_close(moved - still, torch.full_like(still, 1.3), rtol=0, atol=0.06)
    twice = read_tiles(ramp, 2 * straight - torch.tensor([[[0, 0, 95.5]]]), field)
    torch.testing.assert_close(twice[0, 0, 0].diff(), torch.full((15,), 2.0), rtol=0, atol=0.06)


def test_the_wanted_frame_moved_1_and_alpha_times_as_far() -> None:
    """On a ramp, the change is proportional to the motion. The mean of a frame hardly knows its rounding."""
    ramp = 128 + 0.8 * (torch.arange(TILE) - TILE / 2).expand(1, 3, TILE, TILE)
    samples = SampleGenerator(ramp, 48, 1).draw_samples(8, replace(QUIET, motion=(2.9, 3.0), alpha=(2.0, 2.01)))
    step, wanted = ((frames - samples.first).mean((1, 2, 3)) for frames in (samples.clean, samples.wanted))
    seen = step.abs() > 0.1
    assert seen.sum() >= 4
    torch.testing.assert_close(wanted[seen], 3 * step[seen], rtol=0.05, atol=0)


def test_still_samples_show_one_picture(tiles: Tensor) -> None:
    samples = SampleGenerator(tiles, 32, 2).draw_samples(4, replace(QUIET, still=1.0))
    assert samples.wanted.equal(samples.clean)
    assert (samples.first - samples.clean).abs().max() <= 1.0  # rounding
    assert (samples.first - samples.second).abs().max() <= 1.0


def test_the_colour_shift_is_one_number_per_channel_from_the_second_frame_on(tiles: Tensor) -> None:
    generator = SampleGenerator(tiles, 32, 3)
    samples = generator.draw_samples(8, replace(QUIET, still=1.0, colour=20.0))
    shift = samples.clean - samples.first
    means = shift.mean((2, 3), keepdim=True)
    assert 10 < means.abs().max() <= 20.1
    assert (samples.wanted - samples.clean).abs().max() == 0
    assert (samples.second_plain - samples.first).mean((2, 3)).abs().max() < 0.1


def test_only_a_patch_moves_in_layered_samples(tiles: Tensor) -> None:
    generator = SampleGenerator(tiles, 48, 4)
    samples = generator.draw_samples(4, replace(QUIET, layered=1.0, motion=(1.0, 1.1), alpha=(2.0, 2.1)))
    change = (samples.wanted - samples.clean).abs().mean(1)
    assert change[:, :4].max() < 0.1  # the border is background
    assert change[:, 16:32, 16:32].mean() > 1
    mask = generator.patch_mask(torch.zeros(1, 48, 48, 2))
    assert mask[0, 0, 24, 24] > 0.99
    assert mask[0, 0, 0, 0] < 0.01


def test_rounding_keeps_the_mean(tiles: Tensor) -> None:
    rounded = SampleGenerator(tiles, 32, 5).quantise_frame(torch.full((10_000,), 100.3))
    assert set(rounded.tolist()) == {100.0, 101.0}
    assert abs(float(rounded.mean()) - 100.3) < 0.02


def test_noise_grows_with_the_root_of_the_light(tiles: Tensor) -> None:
    grey = SampleGenerator(torch.full((1, 3, TILE, TILE), 127.5), 32, 6)
    samples = grey.draw_samples(200, replace(QUIET, noise=0.3))
    spread = (samples.first - samples.clean).std((1, 2, 3))
    light = samples.clean.mean((1, 2, 3))
    assert 2.5 < (spread * (127.5 / light).sqrt()).max() < 3.8  # up to 3.4 levels at mid-grey
    assert spread.min() < 0.6  # that of rounding
