"""NTSC colour: the luma row and the mixing matrix through which a magnified signal returns to RGB."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

RGB_FROM_YIQ = np.array([[1, 0.956, 0.621], [1, -0.272, -0.647], [1, -1.106, 1.703]])
YIQ_FROM_RGB = np.linalg.inv(RGB_FROM_YIQ)


def signal(rgb: Floats, chrom_attenuation: float) -> Floats:
    """THxWx3 RGB -> the part of it that is magnified, TxCxHxW: C = 1 (adds to R, G and B alike) or 3 (RGB).

    Only luma moves without chroma, and its column in RGB_FROM_YIQ is ones: one plane serves all three channels.
    """
    if not chrom_attenuation:
        return (rgb @ YIQ_FROM_RGB[0].astype(rgb.dtype))[:, None]
    mix = RGB_FROM_YIQ @ np.diag([1, chrom_attenuation, chrom_attenuation]) @ YIQ_FROM_RGB
    return np.ascontiguousarray(np.moveaxis(rgb @ mix.T.astype(rgb.dtype), -1, 1))
