"""Blur, shrink and resize on tensors: the taps of `services.flow.pyramid`, added in the compiled kernel's order."""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor


def filtered(images: Tensor, make: Any, *args: Any) -> Tensor:
    """B x H x W with each axis through the taps that `make` gives for its size and `args`."""
    for axis in (1, 2):
        images = _along(images, axis, *_taps(make, images.shape[axis], args, images.device))
    return images


def resized(images: Tensor, shape: tuple[int, int], make: Any, factor: float) -> Tensor:
    """B x H x W to another size, by the taps that `make` gives for an axis' two sizes; times `factor`."""
    index, weights = _taps(make, images.shape[1], shape[:1], images.device)
    images = _along(images, 1, index, weights * factor)
    return _along(images, 2, *_taps(make, images.shape[2], shape[1:], images.device))


@lru_cache(maxsize=256)
def _taps(make: Any, size: int, args: tuple[Any, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Index and weights, taps x samples, kept on the device: a copy would wait for all that is under way there."""
    taps = make(size, *args)
    index, weights = (torch.from_numpy(values.T.copy()).to(device) for values in (taps.index, taps.weights))
    return index, weights.float()


def _along(images: Tensor, axis: int, index: Tensor, weights: Tensor) -> Tensor:
    if axis == 1:
        weights = weights[..., None]
    total = images.index_select(axis, index[0]) * weights[0]
    for source, weight in zip(index[1:], weights[1:], strict=True):
        total += images.index_select(axis, source) * weight
    return total
