"""The single bands of the Laplacian pyramid, which the magnifier never forms; tests compare its sums with them."""

from itertools import pairwise

import numpy as np

from services.magnifier.pyramid import expand_image, gaussian_levels


def laplacian_bands(image: np.ndarray, levels: int) -> list[np.ndarray]:
    """[H, W] -> the loss of each reduction, fine to coarse, and the coarse residual last."""
    images = gaussian_levels(image, levels)
    expanded = [expand_image(coarse, *fine.shape) for fine, coarse in pairwise(images)]
    return [fine - smooth for fine, smooth in zip(images, expanded, strict=False)] + images[-1:]
