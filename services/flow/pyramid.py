"""Gaussian kernels, pyramid levels and the resampling of flow between them, one axis at a time.

An operation along an axis is a matrix [out, in] with few non-zero taps. All solvers apply the same taps.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.stage_settings.flow import FlowSettings

LATER_LEVELS = 2  # of the GNC stages after the first, with levels "auto"
COARSEST_SIDE = 16  # px: the shorter side of the coarsest level is at least this and less than twice this
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Taps:
    """A linear operation along one axis: out[i] = sum_k weights[i, k] * in[index[i, k]]; both arrays [out, taps]."""

    index: Indices
    weights: NDArray[Any]


Axes = tuple[Taps, Taps]  # for the rows, for the columns


def gaussian_taps(size: int, sigma: float) -> Floats:
    """[size] samples of a Gaussian of `sigma` px with sum 1; `size` is odd."""
    x = np.arange(size) - size // 2
    kernel = np.exp(-(x**2) / (2.0 * sigma**2))
    normalised: Floats = kernel / kernel.sum()
    return normalised


def mirror_indices(index: Indices, n: int) -> Indices:
    """Fold indices of any shape back into 0..n-1, the edge sample repeated, from any distance."""
    folded = np.mod(index, 2 * n)
    inside: Indices = np.minimum(folded, 2 * n - 1 - folded)
    return inside


def coarse_size(n: int, spacing: float) -> int:
    """Samples per axis one level up; `spacing` is the ratio of neighbouring levels."""
    return math.ceil(n / spacing)


def blur_taps(n: int, size: int, sigma: float, border: str) -> Taps:
    """Gaussian blur along an axis of n samples by `size` taps; border 'zero', 'replicate' or 'mirror'."""
    index = np.arange(n)[:, None] + np.arange(size) - size // 2
    weights = np.broadcast_to(gaussian_taps(size, sigma), index.shape)
    if border == "zero":
        weights = np.where((index >= 0) & (index < n), weights, 0.0)
    folded = mirror_indices(index, n) if border == "mirror" else np.clip(index, 0, n - 1)
    return Taps(folded, np.ascontiguousarray(weights))


def shrink_taps(n: int, spacing: float) -> Taps:
    """One pyramid step along an axis of n samples: blur with sigma = spacing / 2, then take the nearest sample."""
    sigma = spacing / 2.0
    blur = blur_taps(n, 2 * math.floor(1.5 * sigma + 0.5) + 1, sigma, "mirror")
    kept = mirror_indices(
        np.floor(_sample_centres(n, coarse_size(n, spacing), 1.0 / spacing) + 0.5).astype(np.int64), n
    )
    return Taps(blur.index[kept], blur.weights[kept])


def resize_taps(n: int, out: int) -> Taps:
    """Linear resampling of n to `out` samples, with antialias when shrinking (MATLAB's imresize, 'bilinear')."""
    scale = out / n
    shrink = min(scale, 1.0)
    centre = _sample_centres(n, out, scale)[:, None]
    index = np.floor(centre - 1.0 / shrink).astype(np.int64) + np.arange(math.ceil(2.0 / shrink) + 2)
    weights = np.maximum(0.0, 1.0 - np.abs(shrink * (centre - index)))
    return Taps(mirror_indices(index, n), weights / weights.sum(axis=1, keepdims=True))


def _sample_centres(n: int, out: int, scale: float) -> Floats:
    """[out] positions of the centres of `out` samples on an axis of n = out / scale samples, counted from 0."""
    return (np.arange(out, dtype=np.float64) + 0.5) / scale - 0.5


def apply_taps(image: Floats, axes: Axes) -> Floats:
    """Image [H, W] through the taps of both axes -> [out rows, out columns]."""
    rows, columns = axes
    tall = np.einsum("ik,ikx->ix", rows.weights, image[rows.index])
    wide: Floats = np.einsum("jk,yjk->yj", columns.weights, tall[:, columns.index])
    return wide


@dataclass(frozen=True)
class PyramidStep:
    """One level of one GNC stage.

    stage: from 1. level: from 0, the finest. shape: rows and columns. alpha: quadratic share of the energy. spacing:
    ratio of neighbouring levels.
    """

    stage: int
    level: int
    shape: tuple[int, int]
    alpha: float
    spacing: float


@lru_cache(maxsize=64)
def level_schedule(shape: tuple[int, int], settings: FlowSettings) -> tuple[PyramidStep, ...]:
    """Every level that the solver visits for images of `shape`, in order: stage by stage, coarse to fine."""
    stages = zip(settings.gnc_alphas, settings.gnc_spacings, strict=True)
    return tuple(
        PyramidStep(stage, level, size, alpha, spacing)
        for stage, (alpha, spacing) in enumerate(stages, start=1)
        for level, size in reversed(list(enumerate(level_sizes(shape, spacing, count_levels(shape, stage, settings)))))
    )


def count_levels(shape: tuple[int, int], stage: int, settings: FlowSettings) -> int:
    """The pyramid levels of a GNC stage (from 1) for images of `shape`; see the setting `levels`.

    The first stage, whose energy is quadratic, finds the large motions. The later stages start from its flow and refine
    it. Sun, Roth & Black's code has 4 levels in the first stage and 2 in the later ones.
    """
    if settings.levels != "auto":
        return settings.levels
    if stage > 1:
        return LATER_LEVELS
    levels, side, spacing = 1, float(min(shape)), settings.gnc_spacings[0]
    while side / spacing >= COARSEST_SIDE:
        levels, side = levels + 1, side / spacing
    return max(LATER_LEVELS, levels)


def level_sizes(shape: tuple[int, int], spacing: float, levels: int) -> list[tuple[int, int]]:
    """Rows and columns of a pyramid's levels, finest first."""
    found = [shape]
    for _ in range(levels - 1):
        found.append((coarse_size(found[-1][0], spacing), coarse_size(found[-1][1], spacing)))
    return found
