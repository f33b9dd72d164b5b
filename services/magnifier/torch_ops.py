"""The steps of `services.magnifier.ops` on torch tensors, for a GPU.

Sums are written out in their order and every operation rounds by itself, as in `services.flow.torch_multigrid`. So a
device that rounds as IEEE 754 says gives the bytes of any other. OpenCV adds the taps in another order. Floats
therefore differ by some 1e-7 from those of `NumpyOps`, and a byte differs by 1 where that falls on a rounding edge.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from services.magnifier.ops import Bytes, Doubles, Floats


class TorchOps:
    """The steps on tensors of one device, any number of planes [..., H, W] at once; methods as in `ops.Ops`."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)

    def place_frames(self, rgb: Floats) -> Tensor:
        return torch.from_numpy(rgb).to(self.device)

    def allocate_like(self, like: Tensor, *shape: int) -> Tensor:
        return like.new_empty(shape)

    def reduce_image(self, image: Tensor) -> Tensor:
        return _halve_last_axis(_halve_last_axis(image).mT).mT

    def expand_image(self, image: Tensor, height: int, width: int) -> Tensor:
        return _double_last_axis(_double_last_axis(image, width).mT, height).mT

    def pyramid_chunks(self, moving: Tensor) -> Iterator[tuple[int, ...]]:
        return iter([()])  # all planes at once

    def weighted_channel_sums(self, rgb: Tensor, weights: Doubles) -> Tensor:
        red, green, blue = rgb.unbind(-1)
        return torch.stack([red * r + green * g + blue * b for r, g, b in weights.tolist()], 1)

    def brightest_channel(self, rgb: Tensor) -> Tensor:
        return rgb.amax(-1)

    def mix_bands(self, part: Tensor, mixture: Doubles) -> Tensor:
        change = part.new_zeros(len(part), part.shape[2])
        for row, weight in zip(part.unbind(1), mixture.tolist(), strict=True):
            change += row * weight
        return change

    def add_in_gamut(self, frame: Tensor, top: Tensor, change: Tensor, out: Tensor) -> None:
        # One pass over all pixels, whether too bright or not, is faster than a selection by `top`.
        planes = change.view(len(change), *frame.shape[:2]).movedim(0, -1)
        torch.add(frame, planes, out=out).clamp_(min=0)
        out /= out.amax(-1, keepdim=True).clamp(min=1)

    def quantise_frames(self, frames: Tensor) -> Bytes:
        # rounded on the device, so that bytes travel and not floats
        levels: Bytes = (frames * 255 + 0.5).to(torch.uint8).cpu().numpy()
        return levels


def _halve_last_axis(lines: Tensor) -> Tensor:
    """Every second sample of [1 4 6 4 1]/16 on the last axis, mirrored at both ends: [..., N] -> [..., ceil(N/2)]."""
    wide = torch.cat([lines[..., 2:3], lines[..., 1:2], lines, lines[..., -2:-1], lines[..., -3:-2]], -1)
    ends = wide[..., :-4:2] + wide[..., 4::2]
    sides = wide[..., 1:-3:2] + wide[..., 3:-1:2]
    return ends.mul_(1 / 16).add_(sides.mul_(4 / 16)).add_(wide[..., 2:-2:2] * (6 / 16))


def _double_last_axis(lines: Tensor, size: int) -> Tensor:
    """[1 4 6 4 1]/8 over the samples with zeros between, mirrored on that fine grid: [..., N] -> [..., size]."""
    last = lines[..., -2:-1] if size % 2 else lines[..., -1:]
    wide = torch.cat([lines[..., 1:2], lines, last], -1)
    out = lines.new_empty(*lines.shape[:-1], size)
    out[..., ::2] = (wide[..., :-2] + wide[..., 2:]).mul_(1 / 8).add_(lines * (6 / 8))
    out[..., 1::2] = (lines + wide[..., 2:]).mul_(1 / 2)[..., : size // 2]
    return out
