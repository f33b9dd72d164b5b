"""The solver on tensors against the others; also on a GPU if there is one."""

import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.utils._python_dispatch import TorchDispatchMode

from services.flow import torch_flow
from services.flow.black_anandan import estimate_flow
from shared.errors import Misconfigured
from shared.stage_settings.flow import FLOW_PROFILES

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(params=DEVICES)
def where(request, monkeypatch):
    monkeypatch.setenv("MER_DEVICE", request.param)
    return request.param


@pytest.fixture(scope="module")
def recorded():
    with np.load(Path(__file__).parents[2] / "data" / "flow.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def moving_pairs(count=4, shape=(25, 34), seed=0):
    noise = np.random.default_rng(seed).normal(size=(count, *shape))
    first = 128 + 200 * np.stack([ndimage.gaussian_filter(one, 2.0, mode="wrap") for one in noise])
    second = [ndimage.shift(one, (0.3 * k, 0.9 - 0.4 * k), order=5, mode="grid-wrap") for k, one in enumerate(first)]
    return first.astype(np.float32), np.stack(second).astype(np.float32)


@pytest.mark.parametrize(("name", "count"), [("odd", 1), ("tex", 2), ("face", 3)])
@pytest.mark.usefixtures("where")
def test_recorded_flow(recorded, name, count):
    """At most half of the stage's largest allowed difference of 0.1 px, and a tenth of the mean one of 0.01 px."""
    first, second = (recorded[f"{name}_{image}"][:count] for image in ("im1", "im2"))
    off = np.abs(estimate_flow(first, second, "paper", "torch").transpose(0, 2, 3, 1) - recorded[f"{name}_uv"][:count])
    assert off.mean(axis=(1, 2, 3)).max() < 1e-3
    assert off.max() < 0.05


@pytest.mark.parametrize("name", ["odd", "tex", "face"])
@pytest.mark.usefixtures("where")
def test_exact_solver_with_the_corrected_profile(recorded, name):
    pair = recorded[f"{name}_im1"][:1], recorded[f"{name}_im2"][:1]
    off = np.abs(estimate_flow(*pair, "corrected", "torch") - estimate_flow(*pair, "corrected", "exact"))
    assert off.mean() < 1e-4
    assert off.max() < 0.01


@pytest.mark.usefixtures("where")
def test_compiled_solver(recorded):
    pairs = recorded["face_im1"][:3], recorded["face_im2"][:3]
    for profile in FLOW_PROFILES:
        off = np.abs(estimate_flow(*pairs, profile, "torch") - estimate_flow(*pairs, profile, "fast"))
        assert off.mean() < 2e-4
        assert off.max() < 0.03


def test_batch_equals_single_pairs(where):
    first, second = moving_pairs()
    single = np.concatenate(
        [estimate_flow(first[i : i + 1], second[i : i + 1], "corrected", "torch") for i in range(4)]
    )
    for size in (3, 4):
        batched = torch_flow.estimate_flow_torch(first, second, FLOW_PROFILES["corrected"], where, batch_size=size)
        assert batched.tobytes() == single.tobytes(), (where, size)


def test_threads_do_not_change_a_bit():
    first, second = moving_pairs()
    before, threads = estimate_flow(first, second, "corrected", "torch"), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert estimate_flow(first, second, "corrected", "torch").tobytes() == before.tobytes()
    finally:
        torch.set_num_threads(threads)


@pytest.mark.gpu
@pytest.mark.parametrize("profile", FLOW_PROFILES)
def test_a_gpu_gives_the_bytes_of_a_cpu(monkeypatch, recorded, profile):
    found = []
    for device in ("cpu", "cuda"):
        monkeypatch.setenv("MER_DEVICE", device)
        found.append(estimate_flow(recorded["face_im1"][:3], recorded["face_im2"][:3], profile, "torch"))
    assert np.abs(found[0] - found[1]).max() < 1e-3  # said first, as it is what matters
    assert found[0].tobytes() == found[1].tobytes()


@pytest.mark.parametrize("profile", FLOW_PROFILES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3), (51, 37)])
@pytest.mark.usefixtures("where")
def test_never_nan(shape, profile):
    checks = (np.indices(shape).sum(0) % 2 * 255).astype(np.uint8)
    images = np.stack([np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), checks])
    first, second = np.repeat(images, 3, axis=0), np.tile(images, (3, 1, 1))
    assert np.isfinite(estimate_flow(first, second, profile, "torch")).all()
    if profile == "corrected":
        assert not estimate_flow(images[:1], images[1:2], profile, "torch").any()


@pytest.mark.parametrize("profile", FLOW_PROFILES)
@pytest.mark.usefixtures("where")
def test_identical_images_do_not_move(profile):
    first, _ = moving_pairs(1)
    assert np.abs(estimate_flow(first, first, profile, "torch")).max() < 1e-9


def test_no_pairs(where):
    assert estimate_flow(np.zeros((0, 12, 10)), np.zeros((0, 12, 10)), solver="torch").shape == (0, 2, 12, 10), where


def test_out_of_memory_halves_the_batch():
    first, second = moving_pairs(7, (9, 11))
    expected, tried = estimate_flow(first, second, solver="torch"), []

    def solve_two_at_most(first, second, settings):
        tried.append(len(first))
        if len(first) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return torch_flow.estimate_flow_batch(first, second, settings)

    found = torch_flow.estimate_flow_torch(first, second, FLOW_PROFILES["corrected"], solve=solve_two_at_most)
    assert found.tobytes() == expected.tobytes()
    assert tried == [7, 3, 1, 1, 1, 1, 1, 1, 1]


@pytest.mark.gpu
@pytest.mark.parametrize("profile", FLOW_PROFILES)
def test_a_recorded_batch_gives_the_bytes_of_a_cpu(profile):
    """The second batch of a size is recorded, and the third one replays it with other images."""
    settings, torch_flow.RECORDED_FLOW.key = FLOW_PROFILES[profile], None
    for seed in range(3):
        pairs = moving_pairs(3, (40, 37), seed)
        found = torch_flow.estimate_flow_torch(*pairs, settings, "cuda")
        assert (torch_flow.RECORDED_FLOW.graph is not None) == (seed > 0)
        assert found.tobytes() == torch_flow.estimate_flow_torch(*pairs, settings, "cpu").tobytes(), seed
    other = moving_pairs(2, (25, 34))
    found = torch_flow.estimate_flow_torch(*other, settings, "cuda")  # of another size: the graph is not used
    assert found.tobytes() == torch_flow.estimate_flow_torch(*other, settings, "cpu").tobytes()


@pytest.mark.gpu
@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (1, 40), (40, 1), (51, 37), (90, 121)])
def test_kernels_give_the_bytes_of_tensors_on_the_same_gpu(shape, monkeypatch):
    pairs = moving_pairs(2, shape)
    by_kernels = torch_flow.estimate_flow_torch(*pairs, FLOW_PROFILES["corrected"], "cuda")
    monkeypatch.setattr(torch_flow, "kernel_solver", lambda device: None)
    torch_flow.RECORDED_FLOW.forget()
    assert by_kernels.tobytes() == torch_flow.estimate_flow_torch(*pairs, FLOW_PROFILES["corrected"], "cuda").tobytes()


@pytest.mark.gpu
def test_a_gpu_without_memory_for_a_batch_takes_smaller_ones():
    """The process may have 128 MiB: 64 pairs of 224 x 280 need more, one pair less."""
    first, second = moving_pairs(1, (224, 280))
    many, tried = [np.repeat(images, 64, axis=0) for images in (first, second)], []
    settings = FLOW_PROFILES["corrected"].model_copy(update={"warps": 1})
    expected = torch_flow.estimate_flow_torch(first, second, settings, "cuda")

    def solve_and_count(first, second, settings):
        tried.append(len(first))
        return torch_flow.estimate_flow_batch(first, second, settings)

    torch.cuda.empty_cache()
    allowed = torch.cuda.memory_reserved() + 2**27
    torch.cuda.set_per_process_memory_fraction(allowed / torch.cuda.get_device_properties(0).total_memory)
    try:
        found = torch_flow.estimate_flow_torch(*many, settings, "cuda", batch_size=64, solve=solve_and_count)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert tried[0] == 64
    assert 1 <= tried[-1] < 64
    assert found.tobytes() == np.repeat(expected, 64, axis=0).tobytes()


def test_one_pair_that_does_not_fit_is_an_error():
    def solve_nothing(first, second, settings):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(torch.OutOfMemoryError, match="one pair"):
        torch_flow.estimate_flow_torch(*moving_pairs(3, (9, 11)), FLOW_PROFILES["corrected"], solve=solve_nothing)


def test_without_torch_the_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(Misconfigured, match="images with torch"):
        estimate_flow(*moving_pairs(1), solver="torch")


class Peak(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive at once."""

    def __init__(self):
        super().__init__()
        self.alive, self.most, self.known = 0, 0, weakref.WeakKeyDictionary()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (list, tuple)) else [result]:
            if isinstance(tensor, torch.Tensor):
                self.see(tensor.untyped_storage())
        return result

    def see(self, storage):
        if storage not in self.known:
            self.known[storage] = storage.nbytes()
            self.alive += storage.nbytes()
            self.most = max(self.most, self.alive)
            weakref.finalize(storage, self.forget, storage.nbytes())

    def forget(self, count):
        self.alive -= count


def test_every_living_tensor_is_counted_once():
    with Peak() as peak:
        kept = torch.zeros(1000)
        view = kept[10:].view(2, -1)
        for _ in range(3):
            torch.ones(500)
    assert (peak.alive, peak.most) == (kept.nbytes, kept.nbytes + 2000), len(view)


@pytest.mark.parametrize("profile", FLOW_PROFILES)
def test_peak_memory_is_what_the_size_of_a_batch_reckons_with(profile):
    settings = FLOW_PROFILES[profile].model_copy(update={"warps": 1})
    first, second = (torch.from_numpy(images) for images in moving_pairs(1, (112, 140)))
    with Peak() as peak:
        torch_flow.estimate_flow_batch(first, second, settings)
    per_pixel = (peak.most + first.nbytes + second.nbytes) / first.numel()
    assert 0.9 * torch_flow.BYTES_PER_PIXEL < per_pixel <= torch_flow.BYTES_PER_PIXEL
