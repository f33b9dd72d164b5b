"""Penalties of the energy and the weights they give: Lorentzian and quadratic, blended along GNC.

Black & Anandan (1996); the weight of a residual x is rho'(x) / x.
"""

import numpy as np
from numpy.typing import NDArray

from services.flow.settings import FlowSettings

Floats = NDArray[np.float64]


def lorentzian_weight(x: Floats, sigma: float) -> Floats:
    """Weight of log(1 + x^2 / (2 sigma^2))."""
    return 2.0 / (2.0 * sigma**2 + x**2)


def quadratic_weight(sigma: float) -> float:
    """Weight of x^2 / sigma^2."""
    return 2.0 / sigma**2


def data_weight(residual: Floats, alpha: float, settings: FlowSettings) -> Floats:
    """Weight of the brightness residual (grey levels), `alpha` of it quadratic."""
    sigma = settings.sigma_data
    return alpha * quadratic_weight(sigma) + (1.0 - alpha) * lorentzian_weight(residual, sigma)


def spatial_weight(difference: Floats, alpha: float, settings: FlowSettings) -> Floats:
    """Weight of a flow difference between neighbours (px), the smoothness' lambda included."""
    sigma = settings.sigma_spatial
    smooth = alpha * settings.lambda_quadratic * quadratic_weight(sigma)
    return smooth + (1.0 - alpha) * settings.lambda_robust * lorentzian_weight(difference, sigma)
