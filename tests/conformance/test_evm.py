"""Profile `paper` against results of the original research code for the same frames (tests/data/README.md)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from services.magnifier import butterworth, colour, evm, gains, pyramid
from services.magnifier.stage import STAGE
from shared.stage_settings.magnifier import FACTORS, MAGNIFIER_PROFILES
from tests.unit.magnifier.laplacian import laplacian_bands

PAPER = MAGNIFIER_PROFILES["paper"]
ALPHAS = {"a12": 1.2, "a20": 2.0, "a30": 3.0}
FLOAT32 = 1e-7  # the recorded floats are float32

Recorded = Mapping[str, np.ndarray]


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    folder = Path(__file__).parents[1] / "data"
    files = (np.load(folder / name, allow_pickle=False) for name in ("evm.npz", "evm_odd_grey.npz"))
    return {name: file[name] for file in files for name in file}


@pytest.fixture(scope="module")
def magnified(recorded: Recorded) -> Mapping[str, np.ndarray]:
    """All three factors of each clip, [F, T-1, H, W, 3]."""
    clips = {name: recorded[f"{name}_in"] for name in ("face", "tex", "odd")}
    return {
        name: evm.magnify_motion(clip, [*ALPHAS.values()], "paper", dtype=np.float64) for name, clip in clips.items()
    }


@pytest.mark.parametrize(
    ("array", "kept"),
    [
        ("face_out_a12", [10]),
        ("face_out_a20", [10]),
        ("face_out_a30", [10]),
        ("tex_out_a30", [5, 10]),
        ("odd_out_a20", [3]),
    ],
)
def test_floats_agree(recorded: Recorded, magnified: Mapping[str, np.ndarray], array: str, kept: list[int]) -> None:
    clip, _, alpha = array.split("_")
    got = magnified[clip][[*ALPHAS].index(alpha)][kept]
    expected = recorded[array] if clip != "tex" else np.repeat(recorded[array][..., None], 3, axis=-1)
    assert np.abs(got - expected).max() < FLOAT32


@pytest.mark.parametrize(
    ("array", "kept"),
    [("face_u8_a12", [10]), ("face_u8_a20", [5, 10]), ("face_u8_a30", [10]), ("odd_u8_a20", slice(None))]
    + [(f"tex_u8_{alpha}", slice(None)) for alpha in ALPHAS],
)
def test_bytes_are_equal(
    recorded: Recorded, magnified: Mapping[str, np.ndarray], array: str, kept: list[int] | slice
) -> None:
    clip, _, alpha = array.split("_")
    got = evm.quantise_frames(magnified[clip][[*ALPHAS].index(alpha)][kept])
    expected = recorded[array] if clip != "tex" else np.repeat(recorded[array][..., None], 3, axis=-1)
    np.testing.assert_array_equal(got, expected)


def test_the_stage_gives_the_recorded_bytes_and_the_raw_last_frame(recorded: Recorded) -> None:
    inputs = {"interpolator": {"frames": recorded["odd_in"], "fps": np.float64(57.0)}}
    out = STAGE.compute(inputs, PAPER)
    np.testing.assert_array_equal(out["frames"][FACTORS.index(2.0), :4], recorded["odd_u8_a20"])
    np.testing.assert_array_equal(out["frames"][:, 4], np.repeat(recorded["odd_in"][4:], 10, axis=0))


def test_float32_is_within_a_millionth(recorded: Recorded, magnified: Mapping[str, np.ndarray]) -> None:
    got = evm.magnify_motion(recorded["face_in"], [*ALPHAS.values()], "paper")
    assert got.dtype == np.float32
    assert np.abs(got - magnified["face"]).max() < 1e-6


def test_butterworth_coefficients(recorded: Recorded) -> None:
    for name, cutoff in (("low", 0.5 / 30), ("high", 10 / 30)):
        num, den = butterworth.low_pass_coefficients(cutoff)
        np.testing.assert_allclose(recorded[f"butter_{name}_num"], num, rtol=1e-12)
        np.testing.assert_allclose(recorded[f"butter_{name}_den"], [1, den], rtol=1e-12)


@pytest.mark.parametrize(("clip", "alphas"), [("face", [1.2, 2, 3]), ("tex", [1.2, 2, 3]), ("odd", [2])])
def test_gains(recorded: Recorded, clip: str, alphas: list[float]) -> None:
    _, height, width, _ = recorded[f"{clip}_in"].shape
    raw = gains.uncapped_gains(gains.band_wavelengths(height, width, "diagonal"), alphas, PAPER)
    np.testing.assert_allclose(raw, recorded[f"{clip}_level_gain_raw"], atol=1e-12)
    applied = gains.band_gains(height, width, alphas, PAPER)
    np.testing.assert_allclose(applied, recorded[f"{clip}_level_gain_applied"], atol=1e-12)


@pytest.mark.parametrize("clip", ["face", "tex", "odd"])
def test_band_sizes(recorded: Recorded, clip: str) -> None:
    image = np.zeros(recorded[f"{clip}_in"].shape[1:3])
    bands = laplacian_bands(image, pyramid.band_count(*image.shape))
    assert [band.shape for band in bands] == [tuple(size) for size in recorded[f"{clip}_pind"]]


def luma(recorded: Recorded) -> np.ndarray:
    return colour.signal_to_magnify(recorded["face_in"][:2] / 255, 0)[:, 0]


def flat(bands: list[np.ndarray]) -> np.ndarray:
    """As recorded: EVM's level n is 2**n times a plain one, each band column by column."""
    return np.concatenate([(band * 2.0**level).ravel(order="F") for level, band in enumerate(bands)])


def test_luma_and_its_pyramid(recorded: Recorded) -> None:
    frame = luma(recorded)[1]
    np.testing.assert_allclose(frame, recorded["face_y_frame1"], atol=FLOAT32)
    np.testing.assert_allclose(flat(laplacian_bands(frame, 6)), recorded["face_lpyr_y_frame1"], atol=1e-6)


def test_filtered_and_gained_bands(recorded: Recorded) -> None:
    moving = butterworth.band_pass(luma(recorded), 0.5 / 30, 10 / 30)[0]
    applied = gains.band_gains(112, 96, [2.0], PAPER)[0]
    bands = [gain * band for gain, band in zip(applied, laplacian_bands(moving, 6), strict=True)]
    np.testing.assert_allclose(flat(bands), recorded["face_filtered_y_frame1_a20"], atol=FLOAT32)
