"""The gain of each band of the pyramid (Wu et al. 2012, section 3.2 and figure 6)."""

import math
from collections.abc import Sequence

import numpy as np

from services.magnifier.arrays import Doubles
from services.magnifier.pyramid import band_count
from shared.stage_settings.magnifier import MagnifierSettings

PEAK = 16 / 3  # px: band n >= 1 of the pyramid passes most at 16/3 * 2**n px (measured; half of it from 2.6 to 10.7)


def band_wavelengths(height: int, width: int, rule: str) -> Doubles:
    """[B] representative wavelength of each band of a frame, px, fine to coarse, doubling.

    Rule "diagonal" is EVM's: the coarsest band has a third of the frame's diagonal. As the number of bands steps with
    the size, the same band of a 159 px and a 160 px frame differs by a factor 2. Rule "octave" is the wavelength at
    which the band's response peaks, at any size.
    """
    octaves = np.exp2(np.arange(band_count(height, width), dtype=np.float64))
    coarsest = math.hypot(height, width) / 3 if rule == "diagonal" else PEAK * octaves[-1]
    doubling: Doubles = coarsest * octaves / octaves[-1]
    return doubling


def uncapped_gains(wavelength: Doubles, factors: Sequence[float] | Doubles, settings: MagnifierSettings) -> Doubles:
    """[F, B] gains by the bound delta < lambda / (8 (1 + alpha)) with delta = lambda_c / (8 (1 + alpha)).

    `wavelength` [B] and lambda_c in px, F factors alpha; Wu et al. 2012, equation 14.
    """
    relative: Doubles = np.outer(1 + np.asarray(factors, np.float64), wavelength) / settings.lambda_c
    return settings.exaggeration * (relative - 1)


def band_gains(height: int, width: int, factors: Sequence[float] | Doubles, settings: MagnifierSettings) -> Doubles:
    """[F, B] gains in use: `uncapped_gains` capped at alpha, and not below the setting `gain_floor`.

    The coarsest band, a few pixels of overall light, is never magnified. So a frame under 5 px is left unchanged.
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
