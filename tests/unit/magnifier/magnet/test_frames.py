"""MagNet on clips: which frames come out, what stays to the bit, and that the batch does not matter."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from services.magnifier.evm import quantise_frames
from services.magnifier.magnet.checkpoint import TrainedMagNet
from services.magnifier.magnet.frames import EncodedClip, magnify_each_by_network
from services.magnifier.magnet.network import MagNet
from services.magnifier.stage import STAGE
from shared.errors import BadData
from shared.stage_settings.magnifier import MAGNIFIER_PROFILES, MagnifierSettings

FACTORS = (0.0, 2.0, 5.0)


def moving_clip(frames: int = 4, height: int = 37, width: int = 30) -> np.ndarray:
    """uint8 [T,H,W,3]: blurred noise that moves one px to the right per frame."""
    noise = np.random.default_rng(1).uniform(0, 255, (height, width + 40, 3))
    noise = (noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1) + np.roll(noise, 2, 1)) / 4
    return np.stack([noise[:, 20 - t : 20 - t + width] for t in range(frames)]).astype(np.uint8)


@pytest.fixture
def settings(weights_file: Path) -> MagnifierSettings:
    weights = hashlib.sha256(weights_file.read_bytes()).hexdigest()
    return MagnifierSettings(method="magnet", factors=FACTORS, weights=weights, head="as-recorded", light="as-recorded")


@pytest.mark.parametrize(("frames", "height", "width"), [(2, 111, 97), (4, 37, 30), (3, 8, 8)])
def test_factor_0_and_the_onset_are_the_recorded_frames(
    settings: MagnifierSettings, frames: int, height: int, width: int
) -> None:
    clip = moving_clip(frames, height, width)
    none, some, more = (quantise_frames(shown.copy()) for shown in magnify_each_by_network(clip, FACTORS, settings))
    np.testing.assert_array_equal(none, clip)
    np.testing.assert_array_equal(more[0], clip[0])
    assert (some[1:] != clip[1:]).any()
    assert (some[1:] != more[1:]).any()


def test_still_frames_stay_as_they_are(settings: MagnifierSettings) -> None:
    still = moving_clip(1).repeat(3, 0)
    for shown in magnify_each_by_network(still, (1.0, 100.0), settings):
        np.testing.assert_array_equal(quantise_frames(shown), still)


def test_the_difference_grows_with_the_factor_as_the_network_says(
    settings: MagnifierSettings, small_net: MagNet
) -> None:
    """Second frame + half the difference of two decodes, in the network's -1..1; the padding is cut off again."""
    clip = moving_clip(2, 40, 32)
    first, second = torch.tensor(clip).permute(0, 3, 1, 2).float().div(127.5).sub(1).split(1)
    change = small_net(first, second, 2.0) - small_net(first, second, 0.0)
    expected = clip[1] / 255 + change[0].permute(1, 2, 0).numpy() / 2
    [shown] = magnify_each_by_network(clip, (2.0,), settings)
    np.testing.assert_allclose(shown[1], expected.clip(0, 1), atol=1e-5)
    cut = clip[:, :37, :30]
    [odd] = magnify_each_by_network(cut, (2.0,), settings)
    assert odd.shape == (2, 37, 30, 3)


def test_plain_is_the_drawing_alone(settings: MagnifierSettings, small_net: MagNet) -> None:
    clip = moving_clip(2, 40, 32)
    first, second = torch.tensor(clip).permute(0, 3, 1, 2).float().div(127.5).sub(1).split(1)
    drawn = (small_net(first, second, 2.0)[0].permute(1, 2, 0).numpy() + 1) / 2
    paper = settings.model_copy(update={"decode": "plain", "first_frame": "dropped"})
    [shown] = magnify_each_by_network(clip, (2.0,), paper)
    assert shown.shape == (1, 40, 32, 3)
    np.testing.assert_allclose(shown[0], drawn.clip(0, 1), atol=1e-5)


def test_published_weights_get_the_own_motion_too(small_net: MagNet) -> None:
    rgb = (moving_clip(3) / 255).astype(np.float32)
    own, published = (EncodedClip(TrainedMagNet(small_net, motion), rgb) for motion in (0.0, 1.0))
    np.testing.assert_array_equal(published.draw_difference(2.0), own.draw_difference(3.0))
    np.testing.assert_array_equal(published.draw_plain(2.0), own.draw_plain(2.0))
    np.testing.assert_array_equal(published.draw_difference(0.0), rgb[1:])


def test_batches_do_not_matter_and_are_halved_when_memory_runs_out(
    small_net: MagNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    rgb = (moving_clip(7) / 255).astype(np.float32)
    alone = EncodedClip(TrainedMagNet(small_net, 0.0), rgb).draw_difference(2.0)
    sizes, decode = [], small_net.decoder.forward

    def refuse_more_than_two(texture: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
        sizes.append(len(texture))
        if len(texture) > 2:
            raise torch.OutOfMemoryError
        return decode(texture, shape)

    clip = EncodedClip(TrainedMagNet(small_net, 0.0), rgb)
    monkeypatch.setattr(small_net.decoder, "forward", refuse_more_than_two)
    clip.size = 5
    np.testing.assert_allclose(clip.draw_difference(2.0), alone, atol=1e-6)
    assert sizes[:3] == [5, 2, 2]
    assert clip.size == 2


def test_the_stage_uses_it(settings: MagnifierSettings) -> None:
    clip = moving_clip(4)
    inputs = {"interpolator": {"frames": clip, "fps": np.float64(40)}}
    out = STAGE.compute(inputs, settings)
    assert (out["frames"].shape, out["frames"].dtype) == ((3, 4, 37, 30, 3), np.uint8)
    np.testing.assert_array_equal(out["frames"][0], clip)
    np.testing.assert_array_equal(out["frame_numbers"], np.arange(4))
    np.testing.assert_array_equal(out["frames"], STAGE.compute(inputs, settings)["frames"])
    evm = STAGE.compute(inputs, settings.model_copy(update={"method": "evm"}))
    assert (evm["frames"][1] != out["frames"][1]).any()


def test_the_paper_drops_the_onset_and_appends_the_last_frame(settings: MagnifierSettings) -> None:
    clip = moving_clip(4)
    own = {"method": "magnet", "weights": settings.weights, "factors": (2.0,)}
    out = STAGE.compute(
        {"interpolator": {"frames": clip, "fps": np.float64(40)}}, MAGNIFIER_PROFILES["paper"].model_copy(update=own)
    )
    assert out["frames"].shape == (1, 4, 37, 30, 3)
    np.testing.assert_array_equal(out["frames"][0, 3], clip[3])
    assert (out["frames"][0, 0] != clip[1]).any()


def test_nonsense_is_bad_data(settings: MagnifierSettings) -> None:
    with pytest.raises(BadData, match="factors"):
        next(magnify_each_by_network(moving_clip(), (-1.0,), settings))
    with pytest.raises(BadData, match="2 or more"):
        next(magnify_each_by_network(moving_clip(1), (1.0,), settings))


@pytest.mark.gpu
def test_a_gpu_draws_the_same_frames(settings: MagnifierSettings) -> None:
    clip = moving_clip(11, 112, 96)
    for cpu, gpu in zip(
        magnify_each_by_network(clip, FACTORS, settings),
        magnify_each_by_network(clip, FACTORS, settings, "cuda"),
        strict=True,
    ):
        assert np.abs(quantise_frames(cpu).astype(int) - quantise_frames(gpu)).max() <= 1
