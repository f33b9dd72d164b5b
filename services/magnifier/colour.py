"""NTSC colour: which part of a frame is magnified."""

import numpy as np

from services.magnifier.ops import Floats, Ops

RGB_FROM_YIQ = np.array([[1, 0.956, 0.621], [1, -0.272, -0.647], [1, -1.106, 1.703]])
YIQ_FROM_RGB = np.linalg.inv(RGB_FROM_YIQ)


def signal_to_magnify(rgb: Floats, chrom_attenuation: float, ops: Ops) -> Floats:
    """[T, H, W, 3] RGB -> the part of it that is magnified, [T, C, H, W]: C = 1 (the same for R, G and B) or 3 (RGB).

    Without chroma only Y changes. Y's column in `RGB_FROM_YIQ` is ones, so that one plane serves all three channels.
    """
    if chrom_attenuation == 0:
        return ops.weighted_channel_sums(rgb, YIQ_FROM_RGB[:1])
    attenuation = np.diag([1, chrom_attenuation, chrom_attenuation])
    return ops.weighted_channel_sums(rgb, RGB_FROM_YIQ @ attenuation @ YIQ_FROM_RGB)
