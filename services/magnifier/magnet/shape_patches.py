"""The shape patches of the ICASSP 2024 code, a curiosity: no learner of the paper reads them.

The map is the mean of all channels of the magnified shape, each stretched to 0..1. It shows what the face looks like
much more than how it moves: at factor 2, a brow that moves by 1 px changes it by 15 % of the contrast that it has there
(published weights, 256 px). Defects of the published code that are kept here: one bright pixel stretches a channel, so
that maps of two frames have no common scale, and patches are cut with x as row.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.magnifier.magnet.network import MagNet
from shared.errors import BadData

REACH = 3  # px of the map to each side of a point: patches of 7 x 7


@torch.inference_mode()
def map_shape(net: MagNet, reference: Tensor, frame: Tensor, alpha: float) -> NDArray[np.float32]:
    """Two frames [1,3,H,W] in -1..1 -> the map [H/2,W/2] of the second one's shape, magnified by alpha, in 0..1."""
    _, still = net.encoder(reference)
    _, shape = net.encoder(frame)
    magnified = (shape + alpha * net.manipulator(still, shape))[0]
    lowest, highest = magnified.amin((1, 2), keepdim=True), magnified.amax((1, 2), keepdim=True)
    averaged: NDArray[np.float32] = ((magnified - lowest) / (highest - lowest)).mean(0).numpy()
    return averaged


def cut_shape_patches(shape_map: NDArray[np.float32], points: NDArray[np.int64]) -> NDArray[np.float32]:
    """Map [H,W] and points [P,2], x and y in px of it -> patches [P,7,7], transposed as in the published code.

    Raises BadData for a point within 3 px of the border, where the published code cuts a smaller patch.
    """
    patches = [shape_map[x - REACH : x + REACH + 1, y - REACH : y + REACH + 1] for x, y in points]
    wrong = [tuple(point) for point, patch in zip(points.tolist(), patches, strict=True) if patch.shape != (7, 7)]
    if wrong:
        raise BadData(f"Shape patches need points 3 px or more from the border of the map, got {wrong[0]}.")
    return np.stack(patches)
