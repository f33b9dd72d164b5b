"""Weights are rho'(x) / x of their penalties."""

import numpy as np
import pytest

from services.flow import robust
from shared.stage_settings.flow import FLOW_PROFILES

SETTINGS = FLOW_PROFILES["paper"]
X = np.linspace(0.05, 4.0, 30)


def numeric_weight(penalty):
    step = 1e-6
    return (penalty(X + step) - penalty(X - step)) / (2 * step) / X


@pytest.mark.parametrize("sigma", [0.1, 6.3])
def test_lorentzian(sigma):
    assert np.allclose(
        robust.lorentzian_weight(X, sigma), numeric_weight(lambda x: np.log1p(x**2 / (2 * sigma**2))), rtol=1e-5
    )


def test_quadratic():
    assert np.allclose(robust.quadratic_weight(0.3), numeric_weight(lambda x: x**2 / 0.3**2), rtol=1e-5)


def test_blend_runs_from_quadratic_to_robust():
    assert np.allclose(robust.data_weight(X, 1.0, SETTINGS), 2 / 6.3**2)
    assert np.allclose(robust.data_weight(X, 0.0, SETTINGS), robust.lorentzian_weight(X, 6.3))
    assert np.allclose(robust.spatial_weight(X, 1.0, SETTINGS), 0.05 * 2 / 0.1**2)
    halves = robust.spatial_weight(X, 1.0, SETTINGS) + robust.spatial_weight(X, 0.0, SETTINGS)
    assert np.allclose(robust.spatial_weight(X, 0.5, SETTINGS), halves / 2)
