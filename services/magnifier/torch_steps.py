"""The few steps that arrays and tensors do differently, for tensors: EVM on a GPU is otherwise the same code.

Sums are written out in their order and every operation rounds by itself, as in `services.flow.torch_multigrid`, so a
device that rounds as IEEE 754 says gives the bytes of any other. OpenCV adds the taps in another order: floats differ
by some 1e-7 from those of arrays, and where that falls on a rounding edge a byte by 1.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.magnifier import colour, evm, pyramid

Doubles = NDArray[np.float64]


def place_on_device(rgb: NDArray[Any], device: str) -> Tensor:
    return torch.from_numpy(rgb).to(device)


@pyramid.reduce_image.register
def _(image: Tensor) -> Tensor:
    return _halve_last_axis(_halve_last_axis(image).mT).mT


def _halve_last_axis(lines: Tensor) -> Tensor:
    """Every second sample of [1 4 6 4 1]/16 along the last axis, mirrored about both ends."""
    wide = torch.cat([lines[..., 2:3], lines[..., 1:2], lines, lines[..., -2:-1], lines[..., -3:-2]], -1)
    ends = wide[..., :-4:2] + wide[..., 4::2]
    sides = wide[..., 1:-3:2] + wide[..., 3:-1:2]
    return ends.mul_(1 / 16).add_(sides.mul_(4 / 16)).add_(wide[..., 2:-2:2] * (6 / 16))


@pyramid.expand_image.register
def _(image: Tensor, height: int, width: int) -> Tensor:
    return _double_last_axis(_double_last_axis(image, width).mT, height).mT


def _double_last_axis(lines: Tensor, size: int) -> Tensor:
    """[1 4 6 4 1]/8 over the samples with zeros between, along the last axis, to `size`; mirrored on that fine grid."""
    last = lines[..., -2:-1] if size % 2 else lines[..., -1:]
    wide = torch.cat([lines[..., 1:2], lines, last], -1)
    out = lines.new_empty(*lines.shape[:-1], size)
    out[..., ::2] = (wide[..., :-2] + wide[..., 2:]).mul_(1 / 8).add_(lines * (6 / 8))
    out[..., 1::2] = (lines + wide[..., 2:]).mul_(1 / 2)[..., : size // 2]
    return out


@colour.weighted_channel_sums.register
def _(rgb: Tensor, weights: Doubles) -> Tensor:
    red, green, blue = rgb.unbind(-1)
    return torch.stack([red * r + green * g + blue * b for r, g, b in weights.tolist()], 1)


@colour.brightest_channel.register
def _(rgb: Tensor) -> Tensor:
    return rgb.amax(-1)


@colour.add_in_gamut.register
def _(frame: Tensor, top: Tensor, change: Tensor, out: Tensor) -> None:
    """One pass over all pixels, whether too bright or not: `top` is not looked at."""
    planes = change.view(len(change), *frame.shape[:2]).movedim(0, -1)
    torch.add(frame, planes, out=out).clamp_(min=0)
    out /= out.amax(-1, keepdim=True).clamp(min=1)


@evm.allocate_like.register
def _(like: Tensor, *shape: int) -> Tensor:
    return like.new_empty(shape)


@evm.mix_bands.register
def _(part: Tensor, mixture: Doubles) -> Tensor:
    change = part.new_zeros(len(part), part.shape[2])
    for row, weight in zip(part.unbind(1), mixture.tolist(), strict=True):
        change += row * weight
    return change


@evm.pyramid_chunks.register
def _(moving: Tensor) -> Iterator[tuple[int, ...]]:
    """All at once."""
    return iter([()])


@evm.quantise_frames.register
def _(frames: Tensor) -> NDArray[np.uint8]:
    """Rounded on the device; bytes travel."""
    levels: NDArray[np.uint8] = (frames * 255 + 0.5).to(torch.uint8).cpu().numpy()
    return levels
