"""The published code's shape maps: stretched channels of the magnified shape, one for each magnified frame."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from services.magnifier.magnet.network import MagNet
from services.magnifier.magnet.shape_maps import SQUARE, average_stretched_channels
from services.magnifier.stage import STAGE
from shared.stage_settings.magnifier import MAGNIFIER_PROFILES, MagnifierSettings


def map_shape(net: MagNet, reference: Tensor, frame: Tensor, alpha: float) -> np.ndarray:
    """Two frames [1,3,H,W] in -1..1 -> the map [H/2,W/2] of the second one."""
    (_, still), (_, shape) = net.encoder(reference), net.encoder(frame)
    return average_stretched_channels(shape + alpha * net.manipulator(still, shape))[0]


def to_square(frame: np.ndarray) -> Tensor:
    """A frame [H,W,3] in 0..1 -> input [1,3,256,256] in -1..1."""
    return torch.from_numpy(cv2.resize(frame, (SQUARE, SQUARE))).permute(2, 0, 1)[None] * 2 - 1


def test_the_map_is_the_mean_of_stretched_channels(small_net: MagNet) -> None:
    first, second = (torch.rand(2, 3, 16, 12, generator=torch.Generator().manual_seed(0)) * 2 - 1).split(1)
    (_, still), (_, shape) = small_net.encoder(first), small_net.encoder(second)
    channels = (shape + 2 * small_net.manipulator(still, shape))[0].numpy()
    stretched = [(channel - channel.min()) / (channel.max() - channel.min()) for channel in channels]
    np.testing.assert_allclose(map_shape(small_net, first, second, 2.0), np.mean(stretched, axis=0), atol=1e-6)


def test_a_picture_without_contrast_has_a_finite_map(small_net: MagNet) -> None:
    black = torch.zeros(1, 3, 16, 12)
    assert (map_shape(small_net, black, black, 2.0) == 0).all()


@pytest.mark.parametrize("profile", ["paper", "corrected"])
def test_the_stage_stores_a_map_for_each_magnified_frame(weights_file: Path, small_net: MagNet, profile: str) -> None:
    own = {"method": "magnet", "weights": hashlib.sha256(weights_file.read_bytes()).hexdigest(), "factors": (0.0, 2.0)}
    as_recorded = {"head": "as-recorded", "light": "as-recorded", "shape_maps": True}
    settings = MAGNIFIER_PROFILES[profile].model_copy(update=own | as_recorded)
    clip = np.random.default_rng(0).integers(0, 255, (3, 40, 30, 3), np.uint8)
    out = STAGE.compute({"interpolator": {"frames": clip, "fps": np.float64(40)}}, settings)
    frames = clip if profile == "corrected" else clip[1:]
    assert (out["shape_maps"].shape, out["shape_maps"].dtype) == ((2, len(frames), 128, 128), np.float32)
    onset, *_, last = (to_square((frame / 255).astype(np.float32)) for frame in clip)
    for index, alpha in enumerate((0.0, 2.0)):
        expected = map_shape(small_net, onset, last, alpha)
        np.testing.assert_allclose(out["shape_maps"][index, -1], expected, atol=1e-6)
    plain = STAGE.compute(
        {"interpolator": {"frames": clip, "fps": np.float64(40)}}, settings.model_copy(update={"shape_maps": False})
    )
    assert out.keys() - plain.keys() == {"shape_maps"}


def test_maps_without_the_network_are_refused() -> None:
    with pytest.raises(ValidationError, match="method=magnet"):
        MagnifierSettings(shape_maps=True)
