"""The Laplacian pyramid (Burt & Adelson 1983) as EVM uses it: binomial taps, mirrored borders, sizes ceil(n/2).

EVM's taps sum to sqrt(2) per axis, so its level n is 2**n times the plain one here; a gain per band does not notice.
`down` and `up` take arrays, one image at a time, or tensors (`services.magnifier.torch_steps`), any number of images.
"""

from collections.abc import Sequence
from functools import singledispatch
from itertools import pairwise
from typing import Any

import cv2
from numpy.typing import NDArray

Floats = NDArray[Any]

SMALLEST = 5  # taps: an image with a shorter side is not divided further


def band_count(height: int, width: int) -> int:
    """Bands of an image of this size, the coarse residual included; counted with floor, though sizes use ceil."""
    side, bands = min(height, width), 1
    while side >= SMALLEST:
        side, bands = side // 2, bands + 1
    return bands


@singledispatch
def reduce_image(image: Floats) -> Floats:
    """HxW -> ceil(H/2) x ceil(W/2): smooth with [1 4 6 4 1]/16, keep even rows and columns."""
    return cv2.pyrDown(image, borderType=cv2.BORDER_REFLECT_101)


@singledispatch
def expand_image(image: Floats, height: int, width: int) -> Floats:
    """The inverse of `down` in size, to height x width: zeros between, then [1 4 6 4 1]/8.

    Mirroring on an odd grid means one mirrored sample more; OpenCV's own odd sizes have another border.
    """
    padded = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REFLECT_101)
    return cv2.pyrUp(padded)[:height, :width]


def gaussian_levels(image: Floats, levels: int) -> list[Floats]:
    """The image and levels - 1 reductions of it, fine to coarse."""
    images = [image]
    for _ in range(levels - 1):
        images.append(reduce_image(images[-1]))
    return images


def laplacian_bands(image: Floats, levels: int) -> list[Floats]:
    """What each reduction loses, fine to coarse, and the coarse residual last; brought up they add up to the image."""
    images = gaussian_levels(image, levels)
    return [fine - expand_image(coarse, *fine.shape[-2:]) for fine, coarse in pairwise(images)] + images[-1:]


def sum_weighted_bands(images: Sequence[Floats], weights: Sequence[float] | Floats) -> Floats:
    """Sum of the Laplacian bands times their weights, ...xHxW, from Gaussian images and without forming the bands.

    With images c and U for `up`, band n is c[n] - U c[n+1]; collecting what goes through the same U leaves one filter
    per level: s[n] = w[n] c[n] + U(s[n+1] - w[n] c[n+1]).
    """
    total: Floats = weights[-1] * images[-1]
    for weight, (fine, coarse) in reversed(list(zip(weights, pairwise(images), strict=False))):
        total = expand_image(total - weight * coarse, *fine.shape[-2:])
        if weight:
            total = total + weight * fine
    return total
