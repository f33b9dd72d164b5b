"""The shape maps of the ICASSP 2024 code, a curiosity: roi-au cuts shape patches out of them, no learner reads these.

A map is the mean of all channels of the magnified shape, each stretched to 0..1. It shows what the face looks like much
more than how it moves: at factor 2, a brow that moves by 1 px changes it by 15 % of the contrast that it has there
(published weights, 256 px). A defect of the published code that is kept here: one bright pixel stretches a channel, so
that maps of two frames have no common scale.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from services.magnifier.arrays import Floats
from services.magnifier.magnet.frames import EncodedClip, load_trained_magnet
from services.magnifier.preparation import check_factors, prepare_rgb
from shared.stage_settings.magnifier import MagnifierSettings

SQUARE = 256  # px; the published code stretches every frame to this square, so that maps have 128 x 128 px


def map_clip_shapes(
    frames: NDArray[np.uint8], factors: Sequence[float], settings: MagnifierSettings, device_name: str = "cpu"
) -> Floats:
    """RGB frames uint8 [T,H,W,3] -> maps float32 [F,N,128,128] in 0..1 of the frames that are magnified.

    N is T, or T-1 with the setting `first_frame` "dropped". Raises BadData as `magnify_motion`, MissingWeights.
    """
    rgb = prepare_rgb(frames, np.float32, settings)
    squares = np.stack([cv2.resize(frame, (SQUARE, SQUARE)) for frame in rgb])
    shown = squares if settings.first_frame == "shown" else squares[1:]
    clip = EncodedClip(load_trained_magnet(settings.weights, device_name), np.concatenate((squares[:1], shown)))
    factors = check_factors(factors).tolist()
    alphas = factors if settings.decode == "plain" else [clip.total_alpha(factor) for factor in factors]
    return np.stack([average_stretched_channels(clip.magnify_shape(alpha)) for alpha in alphas])


def average_stretched_channels(shapes: Tensor) -> Floats:
    """Magnified shapes [N,C,H,W] -> maps [N,H,W] in 0..1: each channel of each frame stretched to 0..1, then the mean.

    A channel without contrast is 0, where the published code divides by 0.
    """
    lowest, highest = shapes.amin((2, 3), keepdim=True), shapes.amax((2, 3), keepdim=True)
    averaged: Floats = ((shapes - lowest) / (highest - lowest).clamp(min=1e-12)).mean(1).cpu().numpy()
    return averaged
