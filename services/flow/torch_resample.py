"""Blur, shrink and resize on tensors: the taps of `services.flow.pyramid`, added in the compiled kernel's order."""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor


def filter_images(images: Tensor, make_taps: Any, *args: Any) -> Tensor:
    """Images [B, H, W] with each axis through the taps of `make_taps(size, *args)`."""
    for axis in (1, 2):
        images = _apply_along_axis(images, axis, *_device_taps(make_taps, images.shape[axis], args, images.device))
    return images


def resize_images(images: Tensor, shape: tuple[int, int], make_taps: Any, factor: float) -> Tensor:
    """Images [B, H, W] -> [B, *shape], by the taps of `make_taps(old size, new size)`; times `factor`."""
    index, weights = _device_taps(make_taps, images.shape[1], shape[:1], images.device)
    images = _apply_along_axis(images, 1, index, weights * factor)
    return _apply_along_axis(images, 2, *_device_taps(make_taps, images.shape[2], shape[1:], images.device))


@lru_cache(maxsize=256)
def _device_taps(make_taps: Any, size: int, args: tuple[Any, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Index and weights [taps, samples] on the device; cached, since a copy would wait for the device."""
    taps = make_taps(size, *args)
    index, weights = (torch.from_numpy(values.T.copy()).to(device) for values in (taps.index, taps.weights))
    return index, weights.float()


def _apply_along_axis(images: Tensor, axis: int, index: Tensor, weights: Tensor) -> Tensor:
    if axis == 1:
        weights = weights[..., None]
    total = images.index_select(axis, index[0]) * weights[0]
    for source, weight in zip(index[1:], weights[1:], strict=True):
        total += images.index_select(axis, source) * weight
    return total
