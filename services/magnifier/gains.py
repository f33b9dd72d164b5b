"""How much each band of the pyramid is magnified (Wu et al. 2012, section 3.2 and figure 6)."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.magnifier.pyramid import band_count
from services.magnifier.settings import MagnifierSettings

Doubles = NDArray[np.float64]

PEAK = 16 / 3  # px: band n >= 1 of the pyramid passes most at 16/3 * 2**n px (measured; half of it from 2.6 to 10.7)


def band_wavelengths(height: int, width: int, rule: str) -> Doubles:
    """Representative wavelength of each band in pixels, fine to coarse, doubling.

    "diagonal" is EVM's: a third of the diagonal for the coarsest. As the number of bands steps with the size, the same
    band of a 159 px and a 160 px frame differs by 2. "octave" is where the band's response really peaks, at any size.
    """
    octaves = np.exp2(np.arange(band_count(height, width), dtype=np.float64))
    coarsest = math.hypot(height, width) / 3 if rule == "diagonal" else PEAK * octaves[-1]
    doubling: Doubles = coarsest * octaves / octaves[-1]
    return doubling


def uncapped_gains(wavelength: Doubles, factors: Sequence[float] | Doubles, settings: MagnifierSettings) -> Doubles:
    """FxB gains that the bound delta < lambda / (8 (1 + alpha)) allows, with delta = lambda_c / (8 (1 + alpha))."""
    relative: Doubles = np.outer(1 + np.asarray(factors, np.float64), wavelength) / settings.lambda_c
    return settings.exaggeration * (relative - 1)


def band_gains(height: int, width: int, factors: Sequence[float] | Doubles, settings: MagnifierSettings) -> Doubles:
    """FxB gains in use: `raw` capped at alpha, bounded from below by `gain_floor`.

    The coarsest band, a few pixels of overall light, is never magnified; so a frame under 5 px stays as it is.
    """
    alphas = np.asarray(factors, np.float64)
    gains = np.minimum(
        uncapped_gains(band_wavelengths(height, width, settings.wavelengths), alphas, settings), alphas[:, None]
    )
    if settings.gain_floor is not None:
        gains = np.maximum(gains, settings.gain_floor)
    gains[:, -1] = 0
    if not settings.finest_band:
        gains[:, 0] = 0
    return gains
