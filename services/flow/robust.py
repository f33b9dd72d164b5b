"""Weights of the energy's penalties: Lorentzian and quadratic, blended from one GNC stage to the next.

Black & Anandan (1996). The weight of a residual x under a penalty rho is rho'(x) / x.
"""

from services.flow.pyramid import Floats
from shared.stage_settings.flow import FlowSettings


def lorentzian_weight(x: Floats, sigma: float) -> Floats:
    """Weight of log(1 + x^2 / (2 sigma^2)) for residuals of any shape, in 1 / (unit of x)^2."""
    return 2.0 / (2.0 * sigma**2 + x**2)


def quadratic_weight(sigma: float) -> float:
    """Weight of x^2 / sigma^2, the same for every x."""
    return 2.0 / sigma**2


def data_weight(residual: Floats, alpha: float, settings: FlowSettings) -> Floats:
    """Weights of brightness residuals (grey levels) of any shape; a share `alpha` of the penalty is quadratic."""
    sigma = settings.sigma_data
    return alpha * quadratic_weight(sigma) + (1.0 - alpha) * lorentzian_weight(residual, sigma)


def spatial_weight(difference: Floats, alpha: float, settings: FlowSettings) -> Floats:
    """Weights of flow differences between neighbours (px) of any shape, lambda included; alpha as in `data_weight`."""
    sigma = settings.sigma_spatial
    smooth = alpha * settings.lambda_quadratic * quadratic_weight(sigma)
    return smooth + (1.0 - alpha) * settings.lambda_robust * lorentzian_weight(difference, sigma)
