"""The pooling for a GPU gives torch's values and gradients. Here triton's interpreter runs its kernels."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

COMPARE = """
import sys, torch
from services.trainer.models.triton_pool import ChannelsLastPool
torch.manual_seed(0)
for window, stride, margin in ((3, 2, 1), (1, 1, 0)):
    for shape in ((2, 3, 4, 8, 10), (1, 2, 5, 7, 9), (1, 1, 2, 1, 2)):
        x = torch.randn(shape, requires_grad=True)
        x.data[x.data < 0] = 0  # many equal values, as after a ReLU: the first one has the gradient
        other = x.detach().clone().requires_grad_()
        pool = torch.nn.MaxPool3d((2, window, window), (2, stride, stride), (0, margin, margin))
        expected, found = pool(x), ChannelsLastPool.apply(other, window, stride, margin)
        weights = torch.randn(expected.shape)
        expected.backward(weights), found.backward(weights)
        torch.testing.assert_close(other.grad, x.grad)
        last = found.is_contiguous(memory_format=torch.channels_last_3d)
        print(torch.equal(found, expected), last, bool(x.grad.abs().sum() > 0))
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="needs triton")
def test_values_and_gradients_are_those_of_torch() -> None:
    environment, root = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}, Path(__file__).parents[4]
    command = [sys.executable, "-W", "ignore", "-c", COMPARE]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["True True True"] * 6


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("window", [3, 1])
def test_a_gpu_gives_the_values_and_gradients_of_torch_and_the_same_bytes_twice(
    dtype: torch.dtype, window: int
) -> None:
    from services.trainer.models.triton_pool import ChannelsLastPool

    stride, margin = (2, 1) if window == 3 else (1, 0)
    x = torch.randn(2, 64, 4, 36, 35, device="cuda", dtype=dtype, requires_grad=True)
    weights, found = None, []
    for _ in range(2):
        pooled = ChannelsLastPool.apply(x, window, stride, margin)
        weights = torch.randn_like(pooled) if weights is None else weights
        found.append((pooled, *torch.autograd.grad((weights * pooled).sum(), x)))
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))
    expected = nn.MaxPool3d((2, window, window), (2, stride, stride), (0, margin, margin))(x.float())
    assert torch.equal(found[0][0].float(), expected)
    gradient = torch.autograd.grad((weights.float() * expected).sum(), x)[0]
    torch.testing.assert_close(
        found[0][1], gradient.to(dtype), atol=0.05 if dtype == torch.bfloat16 else 1e-5, rtol=0.02
    )
