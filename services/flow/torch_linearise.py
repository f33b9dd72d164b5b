"""One warp's linear systems on tensors, all pairs at once; formulas as in `services.flow.linearise`."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from services.flow.linearise import MARGIN
from services.flow.pyramid import mirror_indices
from services.flow.robust import quadratic_weight
from services.flow.settings import FlowSettings

GRADIENT_WEIGHTS = (45 / 60, -9 / 60, 1 / 60)  # of samples 1, 2 and 3 px to either side


def build_system_batch(
    first: Tensor, second: Tensor, uv: Tensor, alpha: float, settings: FlowSettings
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of the increment at uv: edge weights to the right and down (B x 2 x H x W), data terms (B x 3 x H x W), b.

    first, second: B x H x W blurred images of this level; uv: B x 2 x H x W.
    """
    pulled, inside = warp_image_batch(first, second, uv, settings)
    data, right_side = data_terms(first, pulled, inside, alpha, settings)
    right, across = spatial_terms(uv, 3, alpha, settings)
    down, along = spatial_terms(uv, 2, alpha, settings)
    right_side += across
    right_side[..., 1:].sub_(across[..., :-1])
    right_side += along
    right_side[..., 1:, :].sub_(along[..., :-1, :])
    return right, down, data, right_side


def warp_image_batch(first: Tensor, second: Tensor, uv: Tensor, settings: FlowSettings) -> tuple[Tensor, Tensor]:
    """`second` pulled back along uv, and where uv stays inside the image."""
    height, width = first.shape[1:]
    column, row = (at + part for at, part in zip(pixel_coordinates(first), uv.unbind(1), strict=True))
    inside = (column >= 0) & (column <= width - 1) & (row >= 0) & (row <= height - 1)
    sample = sample_cubic_batch if settings.interpolation == "cubic" else sample_linear_batch
    pulled = sample(second, row.clamp(0, height - 1), column.clamp(0, width - 1))
    return torch.where(inside, pulled, first) if settings.outside == "first" else pulled, inside


def pixel_coordinates(images: Tensor) -> tuple[Tensor, Tensor]:
    """Columns and rows of the pixels of B x H x W images."""
    height, width = images.shape[1:]
    rows = torch.arange(height, device=images.device, dtype=images.dtype)[:, None]
    return torch.arange(width, device=images.device, dtype=images.dtype), rows


def gather_weighted_samples(
    images: Tensor, row: Tensor, column: Tensor, weights: tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
) -> Tensor:
    """Weighted samples around each position, the first of them at (row, column) of images that have a margin."""
    flat, (down, across) = images.flatten(1), weights
    last = (images.shape[1] - len(down)) * images.shape[2] + images.shape[2] - len(across)
    at = (row.long() * images.shape[2] + column.long()).flatten(1).clamp_(0, last)  # NaN must not end a GPU's context
    total = torch.zeros_like(row)
    for y, outer in enumerate(down):
        line = torch.zeros_like(row)
        for x, inner in enumerate(across):
            line += flat[:, y * images.shape[2] + x :].gather(1, at).view_as(row).mul_(inner)
        total += line.mul_(outer)
    return total


def sample_linear_batch(images: Tensor, row: Tensor, column: Tensor) -> Tensor:
    top, left = row.floor(), column.floor()
    dy, dx = row - top, column - left
    return gather_weighted_samples(replicate_border(images, 0, 1), top, left, ((1 - dy, dy), (1 - dx, dx)))


def sample_cubic_batch(images: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Cubic convolution with a = -1/2 (Keys 1981), the edge replicated."""
    top, left = row.floor(), column.floor()
    return gather_weighted_samples(
        replicate_border(images, 1, 2), top, left, (cubic_weights_batch(row - top), cubic_weights_batch(column - left))
    )


def replicate_border(images: Tensor, before: int, after: int) -> Tensor:
    """B x H x W with the edge replicated around it."""
    return functional.pad(images[:, None], (before, after, before, after), mode="replicate")[:, 0]


def cubic_weights_batch(t: Tensor) -> tuple[Tensor, ...]:
    """Weights of the four samples around a position, t past the second."""
    half = t * 0.5
    return (
        half * (t * (2 - t) - 1),
        (t * t * (3 * t - 5) + 2) * 0.5,
        half * (t * (4 - 3 * t) + 1),
        half * t * (t - 1),
    )


def image_gradients(pulled: Tensor) -> tuple[Tensor, Tensor]:
    """Ix, Iy of B x H x W images, mirrored about their edges."""
    return axis_gradient(pulled, 2), axis_gradient(pulled, 1)


def axis_gradient(images: Tensor, axis: int) -> Tensor:
    count = images.shape[axis]
    wide = images.index_select(axis, mirrored_axis_indices(count, images.device))
    near, middle, far = (
        (wide.narrow(axis, MARGIN + k, count) - wide.narrow(axis, MARGIN - k, count)) * weight
        for k, weight in enumerate(GRADIENT_WEIGHTS, start=1)
    )
    return near.add_(middle).add_(far)


@lru_cache(maxsize=256)
def mirrored_axis_indices(count: int, device: torch.device) -> Tensor:
    """Indices of an axis with a margin, the edge sample repeated; kept, as a copy would wait for the device."""
    return torch.from_numpy(mirror_indices(np.arange(-MARGIN, count + MARGIN), count)).to(device)


def data_terms(
    first: Tensor, pulled: Tensor, inside: Tensor, alpha: float, settings: FlowSettings
) -> tuple[Tensor, Tensor]:
    """wd times the products of (Ix, Iy), ridge included, and -wd It (Ix, Iy)."""
    it, (ix, iy) = pulled - first, image_gradients(pulled)
    weight = lorentzian_weight_batch(
        it, settings.sigma_data, alpha * quadratic_weight(settings.sigma_data), 2 * (1 - alpha)
    )
    if settings.outside == "ignored":
        weight = weight * inside
    wx, wy = weight * ix, weight * iy
    data = torch.stack([wx * ix + settings.ridge, wx * iy, wy * iy + settings.ridge], 1)
    return data, -torch.stack([wx * it, wy * it], 1)


def lorentzian_weight_batch(x: Tensor, sigma: float, constant: float, top: float) -> Tensor:
    """constant + top / (2 sigma^2 + x^2): a robust weight and its quadratic companion's share."""
    bottom = x * x + 2 * sigma**2
    return torch.full_like(bottom, top) / bottom + constant


def spatial_terms(uv: Tensor, axis: int, alpha: float, settings: FlowSettings) -> tuple[Tensor, Tensor]:
    """Edge weights to the next pixel along an axis, zero at its end, and weight times difference."""
    count = uv.shape[axis]
    step = uv.narrow(axis, 1, count - 1) - uv.narrow(axis, 0, count - 1)
    constant = alpha * settings.lambda_quadratic * quadratic_weight(settings.sigma_spatial)
    top = 2 * (1 - alpha) * settings.lambda_robust
    weight = lorentzian_weight_batch(step, settings.sigma_spatial, constant, top)
    end = (0, 1) if axis == 3 else (0, 0, 0, 1)
    return functional.pad(weight, end), functional.pad(weight * step, end)
