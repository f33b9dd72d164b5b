"""MagNet against the published network: its own weights, and what it makes of a face.

Both files come with the reference material, not with the repository: MAGNET_REFERENCE names the folder that holds
`zhengpeng7_magnet_epoch12.pth` (MIT, release v1.0 of ZhengPeng7/motion_magnification_learning-based) and
`magnet_fixture.npz`, arrays that this release's own code computed. Without the variable the tests are skipped.
"""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from services.magnifier.magnet.checkpoint import load_magnet
from services.magnifier.magnet.network import MagNet
from services.magnifier.magnet.shape_maps import average_stretched_channels

SHA256 = "26c0e3ba528152d9219698ca4dac8a1924e3c4528f81277c3296fb7c034d4fae"
Recorded = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def folder() -> Path:
    if not (named := os.environ.get("MAGNET_REFERENCE")):
        pytest.skip("needs the folder MAGNET_REFERENCE with the published weights")
    return Path(named)


@pytest.fixture(scope="module")
def net(folder: Path) -> MagNet:
    trained = load_magnet(folder / "zhengpeng7_magnet_epoch12.pth", SHA256)
    assert trained.own_motion == 1
    return trained.net


@pytest.fixture(scope="module")
def recorded(folder: Path) -> Recorded:
    with np.load(folder / "magnet_fixture.npz") as arrays:
        return dict(arrays)


def to_input(frame: np.ndarray) -> Tensor:
    return torch.tensor(frame).permute(2, 0, 1)[None].float() / 127.5 - 1


def test_texture_and_shape(net: MagNet, recorded: Recorded) -> None:
    for name in "ab":
        texture, shape = net.encoder(to_input(recorded[name]))
        np.testing.assert_allclose(texture[0].numpy(), recorded[f"texture_{name}"], atol=1e-4)
        np.testing.assert_allclose(shape[0].numpy(), recorded[f"shape_{name}"], atol=1e-4)


@pytest.mark.parametrize("alpha", ["0", "1.2", "2", "3", "10"])
def test_magnified_shape_and_frame(net: MagNet, recorded: Recorded, alpha: str) -> None:
    (_, still), (texture, shape) = (net.encoder(to_input(recorded[name])) for name in "ab")
    magnified = shape + float(alpha) * net.manipulator(still, shape)
    np.testing.assert_allclose(magnified[0].numpy(), recorded[f"shape_{alpha}"], atol=1e-4)
    np.testing.assert_allclose(net.decoder(texture, magnified)[0].numpy(), recorded[f"out_{alpha}"], atol=1e-4)


def test_map_of_shape_patches(net: MagNet, recorded: Recorded) -> None:
    """The published script's way: both frames at 256 x 256, factor 2."""
    first, second = (to_input(cv2.resize(recorded[name], (256, 256))) for name in "ab")
    (_, still), (_, shape) = net.encoder(first), net.encoder(second)
    [found] = average_stretched_channels(shape + 2.0 * net.manipulator(still, shape))
    np.testing.assert_allclose(found, recorded["patch_map_2"], atol=1e-4)
    np.testing.assert_allclose(net(first, second, 2.0)[0].numpy(), recorded["magnified_256_2"], atol=1e-4)
