"""Magnification on tensors gives the result of arrays; also on a GPU if there is one."""

import sys
from inspect import signature

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from services.magnifier import evm
from services.magnifier.ops import NUMPY_OPS, NumpyOps, Ops
from services.magnifier.settings import FACTORS, PROFILES
from services.magnifier.stage import STAGE
from services.magnifier.torch_ops import TorchOps
from shared.errors import Misconfigured

SIZES = [(40, 33), (51, 36), (7, 6), (5, 40), (4, 4)]


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def where(request, monkeypatch):
    monkeypatch.setenv("MER_DEVICE", request.param)
    return request.param


def clip(frames=6, size=(40, 33)):
    """A smooth colour pattern that changes a little, bright enough to leave the gamut."""
    noise = np.random.default_rng(3).normal(size=(frames, *size, 3))
    steady = gaussian_filter(noise[0], (3, 3, 0)) * 8
    change = np.stack([gaussian_filter(frame, (2, 2, 0)) for frame in noise]) * 0.3
    return np.clip((0.6 + 0.4 * steady + change) * 255, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chroma", [0.0, 0.5])
@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_size_and_colour(where, profile, chroma, size):
    settings = PROFILES[profile].model_copy(update={"chrom_attenuation": chroma})
    arrays = evm.magnify(clip(size=size), FACTORS, settings, 40.0)
    tensors = evm.magnify(clip(size=size), FACTORS, settings, 40.0, ops=TorchOps(where))
    assert tensors.device.type == where
    np.testing.assert_allclose(tensors.cpu().numpy(), arrays, atol=2e-6)


def test_doubles(where):
    arrays = evm.magnify(clip(), FACTORS, "paper", 40.0, np.float64)
    tensors = evm.magnify(clip(), FACTORS, "paper", 40.0, np.float64, TorchOps(where))
    assert tensors.dtype == torch.float64
    np.testing.assert_allclose(tensors.cpu().numpy(), arrays, atol=1e-13)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.usefixtures("where")
def test_the_stage_is_within_one_grey_level(profile):
    inputs = {"interpolator": {"frames": clip(11, (91, 85)), "fps": np.float64(44)}}
    settings = PROFILES[profile]
    arrays = STAGE.compute(inputs, settings)["frames"]
    tensors = STAGE.compute(inputs, settings.model_copy(update={"library": "torch"}))["frames"]
    off = np.abs(arrays.astype(int) - tensors)
    assert off.max() <= 1
    assert (off > 0).mean() < 1e-3
    assert arrays.dtype == tensors.dtype == np.uint8


@pytest.mark.gpu
@pytest.mark.parametrize("profile", PROFILES)
def test_a_gpu_gives_the_bytes_of_a_cpu(profile):
    found = [
        evm.magnify(clip(), FACTORS, profile, 40.0, ops=TorchOps(device)).cpu().numpy() for device in ("cpu", "cuda")
    ]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("size", SIZES[:-1])
def test_down_and_up_of_many_images_at_once(where, size):
    images = np.random.default_rng(5).random((2, 3, *size))
    tensors = torch.from_numpy(images).to(where)
    small = TorchOps(where).reduce_image(tensors)
    large = TorchOps(where).expand_image(small, *size)
    for index in np.ndindex(2, 3):
        np.testing.assert_allclose(small[index].cpu(), NUMPY_OPS.reduce_image(images[index]), atol=1e-14)
        np.testing.assert_allclose(
            large[index].cpu(), NUMPY_OPS.expand_image(NUMPY_OPS.reduce_image(images[index]), *size), atol=1e-14
        )


def test_without_torch_the_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    inputs = {"interpolator": {"frames": clip(), "fps": np.float64(44)}}
    with pytest.raises(Misconfigured, match="images with torch"):
        STAGE.compute(inputs, PROFILES["corrected"].model_copy(update={"library": "torch"}))


def test_every_step_on_arrays_has_its_counterpart():
    def steps(kind):
        return {name: [*signature(step).parameters] for name, step in vars(kind).items() if not name.startswith("_")}

    assert steps(NumpyOps) == steps(TorchOps) == steps(Ops)
