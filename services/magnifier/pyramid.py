"""The Laplacian pyramid (Burt & Adelson 1983) as EVM uses it: binomial taps, mirrored borders, sizes ceil(n/2).

EVM's taps sum to sqrt(2) per axis, so that its level n is 2**n times the plain one here. A gain per band is the same
for both.
"""

from collections.abc import Sequence
from itertools import pairwise

from services.magnifier.ops import Floats, Ops

SMALLEST = 5  # taps: an image with a shorter side is not divided further


def band_count(height: int, width: int) -> int:
    """Bands of an image of this size (px), the coarse residual included; counted with floor, though sizes use ceil."""
    side, bands = min(height, width), 1
    while side >= SMALLEST:
        side, bands = side // 2, bands + 1
    return bands


def gaussian_levels(image: Floats, levels: int, ops: Ops) -> list[Floats]:
    """Image [..., H, W] -> the image and levels - 1 reductions of it, fine to coarse, each half the size."""
    images = [image]
    for _ in range(levels - 1):
        images.append(ops.reduce_image(images[-1]))
    return images


def sum_weighted_bands(images: Sequence[Floats], weights: Sequence[float] | Floats, ops: Ops) -> Floats:
    """Sum of the Laplacian bands times their weights, [..., H, W], from Gaussian images and without forming the bands.

    With images c and U for `expand_image`, band n is c[n] - U c[n+1]. Terms that pass through the same U are collected,
    which leaves one filter per level: s[n] = w[n] c[n] + U(s[n+1] - w[n] c[n+1]).
    """
    total: Floats = weights[-1] * images[-1]
    for weight, (fine, coarse) in reversed(list(zip(weights, pairwise(images), strict=False))):
        total = ops.expand_image(total - weight * coarse, *fine.shape[-2:])
        if weight:
            total = total + weight * fine
    return total
