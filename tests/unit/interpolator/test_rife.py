"""The network on arrays: types, batches, determinism, and weights that do not fit."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from services.interpolator.rife import Rife
from services.interpolator.stage import load_network
from shared import weights

Clip = Callable[[int, float], np.ndarray]


def test_a_batch_equals_its_pairs(moving: Clip, net: Rife) -> None:
    clip = moving(4, 1.5)
    together = net.midpoints(clip[:3], clip[1:])
    assert together.dtype == np.float32
    alone = [net.midpoint(a, b) for a, b in itertools.pairwise(clip)]
    np.testing.assert_array_equal(together, alone)


def test_again_gives_the_same_bits(moving: Clip, net: Rife) -> None:
    first, second = moving(2, 3.0)
    np.testing.assert_array_equal(net.midpoint(first, second), net.midpoint(first, second))


def test_channels_come_back_in_their_order(moving: Clip, net: Rife) -> None:
    frame = moving(1, 0)[0]
    np.testing.assert_allclose(net.midpoint(frame, frame) * 255, frame, atol=3)


@pytest.mark.parametrize("shape", [(33, 64), (47, 95), (90, 31)])
def test_odd_sizes(moving: Clip, net: Rife, shape: tuple[int, int]) -> None:
    first, second = moving(2, 1.0)[:, : shape[0], : shape[1]]
    middle = net.midpoint(first, second)
    assert middle.shape == (*shape, 3)
    assert np.abs(middle * 255 - (first / 2.0 + second / 2.0))[8:-8, 8:-8].mean() < 3


def test_half_the_motion(moving: Clip, net: Rife) -> None:
    clip, truth = moving(2, 4.0), moving(2, 2.0)[1]
    inside = (slice(12, -12), slice(12, -12))
    wrong = np.square(net.midpoint(*clip) * 255 - truth)[inside].mean()
    assert wrong < 0.1 * np.square(clip.mean(0) - truth)[inside].mean()


@pytest.mark.parametrize("where", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_bfloat16_is_near(moving: Clip, net: Rife, where: str) -> None:
    """The bounds are ten times the measured differences, in grey levels; the two networks must differ."""
    clip = moving(3, 2.0)
    near = load_network(where, "bfloat16").midpoints(clip[:2], clip[1:])
    off = np.abs(near - net.midpoints(clip[:2], clip[1:])) * 255
    assert near.dtype == np.float32
    assert 0 < off.mean() < 0.1
    assert off.max() < 7


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_gpu_repeats_its_bytes(moving: Clip, precision: str) -> None:
    clip = moving(5, 2.0)
    network = load_network("cuda", precision)
    np.testing.assert_array_equal(network.midpoints(clip[:4], clip[1:]), network.midpoints(clip[:4], clip[1:]))


@pytest.mark.gpu
def test_bfloat16_of_a_gpu_is_near_that_of_a_cpu(moving: Clip) -> None:
    clip = moving(3, 2.0)
    gpu, cpu = (load_network(where, "bfloat16").midpoints(clip[:2], clip[1:]) for where in ("cuda", "cpu"))
    off = np.abs(gpu - cpu) * 255
    assert off.mean() < 0.1
    assert off.max() < 7


@pytest.mark.gpu
def test_a_gpu_is_near_a_cpu(moving: Clip, net: Rife) -> None:
    clip = moving(3, 2.0)
    off = load_network("cuda").midpoints(clip[:2], clip[1:]) - net.midpoints(clip[:2], clip[1:])
    assert np.abs(off).max() * 255 < 0.1


def test_no_gradients(moving: Clip, net: Rife) -> None:
    packed = list(net.pack_frames(moving(2, 1.0)))
    assert not net.packed_midpoints(packed[:1], packed[1:]).requires_grad
    assert not any(parameter.requires_grad for parameter in net.net.parameters())


def test_weights_must_fit_exactly(tmp_path: Path) -> None:
    tensors = torch.load(weights.weights_path(weights.RIFE), map_location="cpu", weights_only=True)
    tensors.pop("module.block0.conv2.2.bias")
    torch.save(tensors, tmp_path / "cut.pkl")
    with pytest.raises(RuntimeError, match=r"block0\.conv2\.2\.bias"):
        Rife(tmp_path / "cut.pkl")
