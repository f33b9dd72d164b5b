"""The shape maps of the ICASSP 2024 code, a curiosity: roi-au cuts shape patches out of them, no learner reads these.

A map is the mean of all channels of the magnified shape, each stretched to 0..1. It shows what the face looks like much
more than how it moves: at factor 2, a brow that moves by 1 px changes it by 15 % of the contrast that it has there
(published weights, 256 px). A defect of the published code that is kept here: one bright pixel stretches a channel, so
that maps of two frames have no common scale.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.magnifier.arrays import Floats
from services.magnifier.magnet.frames import exact_convolutions, load_trained_magnet
from services.magnifier.magnet.network import MagNet
from services.magnifier.preparation import check_factors, prepare_rgb
from shared.stage_settings.magnifier import MagnifierSettings

SQUARE = 256  # px; the published code stretches every frame to this square, so that maps have 128 x 128 px


def map_clip_shapes(
    frames: NDArray[np.uint8], factors: Sequence[float], settings: MagnifierSettings, device_name: str = "cpu"
) -> Floats:
    """RGB frames uint8 [T,H,W,3] -> maps float32 [F,N,128,128] in 0..1 of the frames that are magnified.

    N is T, or T-1 with the setting `first_frame` "dropped". Raises BadData as `magnify`, MissingWeights.
    """
    trained, rgb = load_trained_magnet(settings.weights, device_name), prepare_rgb(frames, np.float32, settings)
    device = next(trained.net.parameters()).device
    first, *later = (to_square(frame).to(device) for frame in rgb)
    shown = [first, *later] if settings.first_frame == "shown" else later
    alphas = check_factors(factors)
    if settings.decode == "difference":
        alphas = np.where(alphas > 0, alphas + trained.own_motion, 0)
    with exact_convolutions():
        return np.stack([[map_shape(trained.net, first, frame, alpha) for frame in shown] for alpha in alphas])


def to_square(frame: Floats) -> Tensor:
    """A frame [H,W,3] in 0..1 -> input [1,3,SQUARE,SQUARE] in -1..1, stretched as the published code does."""
    return torch.from_numpy(cv2.resize(frame, (SQUARE, SQUARE))).permute(2, 0, 1)[None] * 2 - 1


@torch.inference_mode()
def map_shape(net: MagNet, reference: Tensor, frame: Tensor, alpha: float) -> NDArray[np.float32]:
    """Two frames [1,3,H,W] in -1..1 -> the map [H/2,W/2] of the second one's shape, magnified by alpha, in 0..1."""
    _, still = net.encoder(reference)
    _, shape = net.encoder(frame)
    magnified = (shape + alpha * net.manipulator(still, shape))[0]
    lowest, highest = magnified.amin((1, 2), keepdim=True), magnified.amax((1, 2), keepdim=True)
    # a channel without contrast is 0, where the published code divides by 0
    averaged: NDArray[np.float32] = ((magnified - lowest) / (highest - lowest).clamp(min=1e-12)).mean(0).cpu().numpy()
    return averaged
