"""The published code's shape patches: stretched channels, x as row."""

import numpy as np
import pytest
import torch

from services.magnifier.magnet.network import MagNet
from services.magnifier.magnet.shape_patches import cut_shape_patches, map_shape
from shared.errors import BadData


def test_the_map_is_the_mean_of_stretched_channels(small_net: MagNet) -> None:
    first, second = (torch.rand(2, 3, 16, 12, generator=torch.Generator().manual_seed(0)) * 2 - 1).split(1)
    (_, still), (_, shape) = small_net.encoder(first), small_net.encoder(second)
    channels = (shape + 2 * small_net.manipulator(still, shape))[0].numpy()
    stretched = [(channel - channel.min()) / (channel.max() - channel.min()) for channel in channels]
    np.testing.assert_allclose(map_shape(small_net, first, second, 2.0), np.mean(stretched, axis=0), atol=1e-6)


def test_patches_are_transposed() -> None:
    shape_map = np.arange(400, dtype=np.float32).reshape(20, 20)
    [patch] = cut_shape_patches(shape_map, np.array([[5, 12]]))  # x 5, y 12
    assert patch.shape == (7, 7)
    assert patch[3, 3] == shape_map[5, 12]
    assert patch[0, 6] == shape_map[2, 15]


@pytest.mark.parametrize("point", [(2, 10), (10, 17), (-1, 8)])
def test_a_point_at_the_border_is_bad_data(point: tuple[int, int]) -> None:
    with pytest.raises(BadData, match="border"):
        cut_shape_patches(np.zeros((20, 20), np.float32), np.array([point]))
