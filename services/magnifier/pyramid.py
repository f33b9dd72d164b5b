"""The Laplacian pyramid (Burt & Adelson 1983) as EVM uses it: binomial taps, mirrored borders, sizes ceil(n/2).

EVM's taps sum to sqrt(2) per axis, so that its level n is 2**n times the plain one here. A gain per band is the same
for both.
"""

from collections.abc import Sequence
from itertools import pairwise

import cv2

from services.magnifier.arrays import Floats

SMALLEST = 5  # taps: an image with a shorter side is not divided further


def band_count(height: int, width: int) -> int:
    """Bands of an image of this size (px), the coarse residual included; counted with floor, though sizes use ceil."""
    side, bands = min(height, width), 1
    while side >= SMALLEST:
        side, bands = side // 2, bands + 1
    return bands


def reduce_image(image: Floats) -> Floats:
    """[H, W] -> ceil(H/2) x ceil(W/2): smooth with [1 4 6 4 1]/16, then keep the even rows and columns."""
    return cv2.pyrDown(image, borderType=cv2.BORDER_REFLECT_101)


def expand_image(image: Floats, height: int, width: int) -> Floats:
    """The opposite of `reduce_image`: an image -> height x width, zeros between the samples, then [1 4 6 4 1]/8."""
    # Mirroring on an odd grid means one mirrored sample more. OpenCV's own odd sizes have another border.
    padded = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REFLECT_101)
    return cv2.pyrUp(padded)[:height, :width]


def gaussian_levels(image: Floats, levels: int) -> list[Floats]:
    """Image [H, W] -> the image and levels - 1 reductions of it, fine to coarse, each half the size."""
    images = [image]
    for _ in range(levels - 1):
        images.append(reduce_image(images[-1]))
    return images


def sum_weighted_bands(images: Sequence[Floats], weights: Sequence[float] | Floats) -> Floats:
    """Sum of the Laplacian bands times their weights, [H, W], from Gaussian images and without forming the bands.

    With images c and U for `expand_image`, band n is c[n] - U c[n+1]. Terms that pass through the same U are collected,
    which leaves one filter per level: s[n] = w[n] c[n] + U(s[n+1] - w[n] c[n+1]).
    """
    total: Floats = weights[-1] * images[-1]
    for weight, (fine, coarse) in reversed(list(zip(weights, pairwise(images), strict=False))):
        total = expand_image(total - weight * coarse, *fine.shape)
        if weight:
            total = total + weight * fine
    return total
