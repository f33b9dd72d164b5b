"""The Laplacian pyramid (Burt & Adelson 1983) as EVM uses it: binomial taps, mirrored borders, sizes ceil(n/2).

EVM's taps sum to sqrt(2) per axis, so its level n is 2**n times the plain one here; a gain per band does not notice.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

SMALLEST = 5  # taps: an image with a shorter side is not divided further


def band_count(height: int, width: int) -> int:
    """Bands of an image of this size, the coarse residual included; counted with floor, though sizes use ceil."""
    side, bands = min(height, width), 1
    while side >= SMALLEST:
        side, bands = side // 2, bands + 1
    return bands


def down(image: Floats) -> Floats:
    """HxW -> ceil(H/2) x ceil(W/2): smooth with [1 4 6 4 1]/16, keep even rows and columns."""
    return cv2.pyrDown(image, borderType=cv2.BORDER_REFLECT_101)


def up(image: Floats, height: int, width: int) -> Floats:
    """The image at twice its size, cut to height x width, each up to one less: zeros between, then [1 4 6 4 1]/8.

    Mirroring on an odd target grid means one mirrored sample more; OpenCV's own odd sizes have another border.
    """
    padded = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REFLECT_101)
    return cv2.pyrUp(padded)[:height, :width]


def gaussian(image: Floats, levels: int) -> list[Floats]:
    """The image and levels - 1 reductions of it, fine to coarse."""
    images = [image]
    for _ in range(levels - 1):
        images.append(down(images[-1]))
    return images


def laplacian(image: Floats, levels: int) -> list[Floats]:
    """What each reduction loses, fine to coarse, and the coarse residual last; they add up to the image again."""
    images = gaussian(image, levels)
    return [fine - up(coarse, *fine.shape) for fine, coarse in zip(images, images[1:], strict=False)] + images[-1:]


def weighted(images: list[Floats], gains: Floats) -> Floats:
    """Sum of the Laplacian bands times gains, HxW, from Gaussian images and without forming the bands.

    With c the images and U upwards, band n is c[n] - U c[n+1]; so s[n] = g[n] c[n] + U(s[n+1] - g[n] c[n+1]) collects
    one filter per level. Bands that end the row with gain 0 cost nothing.
    """
    used = np.flatnonzero(gains)
    if not used.size:
        return np.zeros_like(images[0])
    last = min(int(used[-1]) + 1, len(images) - 1)
    total = images[last] * gains[last]
    for level in range(last - 1, -1, -1):
        gain = gains[level]
        total = up(total - gain * images[level + 1], *images[level].shape) + gain * images[level]
    return total
