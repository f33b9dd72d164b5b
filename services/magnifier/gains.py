"""How much each band of the pyramid is magnified (Wu et al. 2012, section 3.2 and figure 6)."""

import numpy as np
from numpy.typing import NDArray

from services.magnifier.pyramid import band_count
from services.magnifier.settings import MagnifierSettings

Doubles = NDArray[np.float64]


def wavelengths(height: int, width: int) -> Doubles:
    """EVM's representative wavelength of each band in pixels, fine to coarse: a third of the diagonal, halved per band."""
    bands = band_count(height, width)
    return float(np.hypot(height, width)) / 3 * 0.5 ** np.arange(bands - 1, -1, -1.0)


def raw(wavelength: Doubles, factors: Doubles, settings: MagnifierSettings) -> Doubles:
    """FxB gains that the bound delta < lambda / (8 (1 + alpha)) allows, with delta = lambda_c / (8 (1 + alpha))."""
    return settings.exaggeration * (np.outer(1 + factors, wavelength) / settings.lambda_c - 1)


def applied(height: int, width: int, factors: Doubles, settings: MagnifierSettings) -> Doubles:
    """FxB gains in use: capped at alpha, bounded from below by `gain_floor`, 0 where `bands` leaves a band out."""
    alpha = np.asarray(factors, np.float64)
    gains = np.minimum(raw(wavelengths(height, width), alpha, settings), alpha[:, None])
    if settings.gain_floor is not None:
        gains = np.maximum(gains, settings.gain_floor)
    gains[:, [0, -1]] = 0
    return gains
