"""From factor to gain per band: the formula, and every setting that shapes it."""

import numpy as np
import pytest

from services.magnifier import gains, pyramid
from shared.stage_settings.magnifier import FACTORS, MAGNIFIER_PROFILES, MagnifierSettings

CORRECTED, PAPER = MAGNIFIER_PROFILES["corrected"], MAGNIFIER_PROFILES["paper"]


def changed(settings: MagnifierSettings, **values: object) -> MagnifierSettings:
    return MagnifierSettings(**(settings.model_dump() | values))


def test_the_formula() -> None:
    raw = gains.uncapped_gains(np.array([6.0, 48.0]), [1.0, 3.0], changed(PAPER, lambda_c=48.0, exaggeration=2.0))
    np.testing.assert_allclose(raw, [[2 * (0.25 - 1), 2 * (2 - 1)], [2 * (0.5 - 1), 2 * (4 - 1)]])


def test_lambda_c_and_exaggeration_are_the_cut_off_and_the_slope() -> None:
    settings = changed(PAPER, lambda_c=24.0, exaggeration=3.0)
    np.testing.assert_allclose(gains.uncapped_gains(np.array([12.0, 24.0]), [1.0], settings), [[0, 3]])


def test_octave_wavelengths_are_where_the_bands_respond_most() -> None:
    impulse = np.zeros((256, 256))
    impulse[128, 128] = 1
    images = pyramid.gaussian_levels(impulse, 5)
    for band in (1, 2, 3):
        spectrum = np.abs(np.fft.fft2(pyramid.sum_weighted_bands(images, np.eye(5)[band])))[0, :128]
        assert 256 / spectrum.argmax() == pytest.approx(gains.band_wavelengths(256, 256, "octave")[band], rel=0.1)


def test_diagonal_wavelengths_jump_with_the_size_and_octave_ones_do_not() -> None:
    assert gains.band_wavelengths(159, 159, "diagonal")[0] > 1.9 * gains.band_wavelengths(160, 160, "diagonal")[0]
    assert gains.band_wavelengths(159, 159, "octave")[0] == gains.band_wavelengths(160, 160, "octave")[0]


def test_the_paper_takes_motion_away_in_fine_bands_and_a_floor_prevents_it() -> None:
    paper = gains.band_gains(112, 96, FACTORS, PAPER)
    floored = gains.band_gains(112, 96, FACTORS, changed(PAPER, gain_floor=0.0))
    assert paper.min() < -1.5
    np.testing.assert_array_equal(floored, np.maximum(paper, 0))


def test_the_finest_band_is_a_setting() -> None:
    assert not gains.band_gains(112, 96, FACTORS, changed(CORRECTED, finest_band=False))[:, 0].any()
    assert gains.band_gains(112, 96, FACTORS, CORRECTED)[-1, 0] > 1


@pytest.mark.parametrize("size", [(112, 96), (224, 280), (64, 64), (159, 160), (480, 640)])
def test_corrected_gains_rise_with_factor_and_wavelength_up_to_alpha(size: tuple[int, int]) -> None:
    applied = gains.band_gains(*size, FACTORS, CORRECTED)
    assert (np.diff(applied[:, :-1], axis=0) >= 0).all()
    assert (np.diff(applied[:, :-1], axis=1) >= 0).all()
    np.testing.assert_array_equal(applied[:, 1:-1], np.repeat(np.array(FACTORS)[:, None], applied.shape[1] - 2, axis=1))


@pytest.mark.parametrize("profile", MAGNIFIER_PROFILES)
@pytest.mark.parametrize("size", [(112, 96), (4, 4), (1, 300)])
def test_the_coarsest_band_is_never_magnified(profile: str, size: tuple[int, int]) -> None:
    assert not gains.band_gains(*size, FACTORS, MAGNIFIER_PROFILES[profile])[:, -1].any()
