"""One warp's linear systems on float32 tensors, all pairs at once; formulas as in `services.flow.linearise`."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from services.flow.linearise import MARGIN
from services.flow.pyramid import mirror_indices
from services.flow.robust import quadratic_weight
from shared.stage_settings.flow import FlowSettings

GRADIENT_WEIGHTS = (45 / 60, -9 / 60, 1 / 60)  # of samples 1, 2 and 3 px to either side


def build_system_batch(
    first: Tensor, second: Tensor, uv: Tensor, alpha: float, settings: FlowSettings
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The systems of the increment at uv: edge weights to the right and down, data terms, right-hand side.

    first, second: [B, H, W] blurred images of this level; uv: [B, 2, H, W] px. Returns [B, 2, H, W] for each edge,
    [B, 3, H, W] for the data terms and [B, 2, H, W] for the right-hand side.
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
    """`second` [B, H, W] pulled back along uv [B, 2, H, W], px, and a mask [B, H, W]: True where uv stays inside."""
    height, width = first.shape[1:]
    column, row = (origin + part for origin, part in zip(pixel_coordinates(first), uv.unbind(1), strict=True))
    inside = (column >= 0) & (column <= width - 1) & (row >= 0) & (row <= height - 1)
    sample = sample_cubic_batch if settings.interpolation == "cubic" else sample_linear_batch
    pulled = sample(second, row.clamp(0, height - 1), column.clamp(0, width - 1))
    return torch.where(inside, pulled, first) if settings.outside == "first" else pulled, inside


def pixel_coordinates(images: Tensor) -> tuple[Tensor, Tensor]:
    """Columns [W] and rows [H, 1] of the pixels of images [B, H, W]."""
    height, width = images.shape[1:]
    rows = torch.arange(height, device=images.device, dtype=images.dtype)[:, None]
    return torch.arange(width, device=images.device, dtype=images.dtype), rows


def gather_weighted_samples(
    images: Tensor, row: Tensor, column: Tensor, weights: tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
) -> Tensor:
    """[B, H, W] weighted sums of samples around each position, the first at (row, column) of images with a margin.

    row, column: [B, H, W]; weights: for the rows and for the columns, each [B, H, W] or a scalar per sample.
    """
    flat, (down, across) = images.flatten(1), weights
    last = (images.shape[1] - len(down)) * images.shape[2] + images.shape[2] - len(across)
    # clamped, since an index from NaN would end a GPU's context
    index = (row.long() * images.shape[2] + column.long()).flatten(1).clamp_(0, last)
    total = torch.zeros_like(row)
    for y, outer in enumerate(down):
        line = torch.zeros_like(row)
        for x, inner in enumerate(across):
            line += flat[:, y * images.shape[2] + x :].gather(1, index).view_as(row).mul_(inner)
        total += line.mul_(outer)
    return total


def sample_linear_batch(images: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Images [B, H, W] at positions row, column [B, H, W], px, bilinearly, the edge replicated."""
    top, left = row.floor(), column.floor()
    dy, dx = row - top, column - left
    return gather_weighted_samples(replicate_border(images, 0, 1), top, left, ((1 - dy, dy), (1 - dx, dx)))


def sample_cubic_batch(images: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """As `sample_linear_batch`, [B, H, W], by cubic convolution with a = -1/2 (Keys 1981)."""
    top, left = row.floor(), column.floor()
    return gather_weighted_samples(
        replicate_border(images, 1, 2), top, left, (cubic_weights_batch(row - top), cubic_weights_batch(column - left))
    )


def replicate_border(images: Tensor, before: int, after: int) -> Tensor:
    """Images [B, H, W] with the edge replicated: `before` rows and columns in front, `after` behind."""
    return functional.pad(images[:, None], (before, after, before, after), mode="replicate")[:, 0]


def cubic_weights_batch(t: Tensor) -> tuple[Tensor, ...]:
    """Four weights, each [B, H, W], of the samples around positions that lie t (px, 0..1) behind the second one."""
    half = t * 0.5
    return (
        half * (t * (2 - t) - 1),
        (t * t * (3 * t - 5) + 2) * 0.5,
        half * (t * (4 - 3 * t) + 1),
        half * t * (t - 1),
    )


def image_gradients(pulled: Tensor) -> tuple[Tensor, Tensor]:
    """Ix, Iy of images [B, H, W], grey levels per px; images are mirrored about their edges."""
    return axis_gradient(pulled, 2), axis_gradient(pulled, 1)


def axis_gradient(images: Tensor, axis: int) -> Tensor:
    """Derivative of images [B, H, W] along an axis (1: rows, 2: columns), per px."""
    count = images.shape[axis]
    wide = images.index_select(axis, mirrored_axis_indices(count, images.device))
    near, middle, far = (
        (wide.narrow(axis, MARGIN + k, count) - wide.narrow(axis, MARGIN - k, count)) * weight
        for k, weight in enumerate(GRADIENT_WEIGHTS, start=1)
    )
    return near.add_(middle).add_(far)


@lru_cache(maxsize=256)
def mirrored_axis_indices(count: int, device: torch.device) -> Tensor:
    """[count + 2 MARGIN] indices of an axis with a margin, the edge sample repeated.

    They are cached, since a copy to the device would wait for it.
    """
    return torch.from_numpy(mirror_indices(np.arange(-MARGIN, count + MARGIN), count)).to(device)


def data_terms(
    first: Tensor, pulled: Tensor, inside: Tensor, alpha: float, settings: FlowSettings
) -> tuple[Tensor, Tensor]:
    """wd times the products of (Ix, Iy), ridge included [B, 3, H, W], and -wd It (Ix, Iy) [B, 2, H, W].

    first, pulled: [B, H, W]; inside: [B, H, W], False where the motion leaves the image.
    """
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
    """constant + top / (2 sigma^2 + x^2) for x of any shape: the robust weight plus the quadratic part."""
    bottom = x * x + 2 * sigma**2
    return torch.full_like(bottom, top) / bottom + constant


def spatial_terms(uv: Tensor, axis: int, alpha: float, settings: FlowSettings) -> tuple[Tensor, Tensor]:
    """Edge weights to the next pixel along an axis of uv [B, 2, H, W], zero at its end, and weight times difference.

    Both have the shape of uv.
    """
    count = uv.shape[axis]
    step = uv.narrow(axis, 1, count - 1) - uv.narrow(axis, 0, count - 1)
    constant = alpha * settings.lambda_quadratic * quadratic_weight(settings.sigma_spatial)
    top = 2 * (1 - alpha) * settings.lambda_robust
    weight = lorentzian_weight_batch(step, settings.sigma_spatial, constant, top)
    end = (0, 1) if axis == 3 else (0, 0, 0, 1)
    return functional.pad(weight, end), functional.pad(weight * step, end)
