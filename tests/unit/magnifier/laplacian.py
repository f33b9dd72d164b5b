"""The bands of the Laplacian pyramid one by one, which the magnifier never forms: what its sums are compared with."""

from itertools import pairwise

import numpy as np

from services.magnifier.ops import NUMPY_OPS
from services.magnifier.pyramid import gaussian_levels


def laplacian_bands(image: np.ndarray, levels: int) -> list[np.ndarray]:
    """HxW -> what each reduction loses, fine to coarse, and the coarse residual last."""
    images = gaussian_levels(image, levels, NUMPY_OPS)
    expanded = [NUMPY_OPS.expand_image(coarse, *fine.shape) for fine, coarse in pairwise(images)]
    return [fine - smooth for fine, smooth in zip(images, expanded, strict=False)] + images[-1:]
