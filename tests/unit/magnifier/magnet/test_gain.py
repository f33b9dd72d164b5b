"""What the shipped weights do: known motion on a face that no training saw, light, colours, noise and grey clips."""

import numpy as np
import pytest

from benchmarks import magnet as measure
from services.magnifier.stage import STAGE
from shared.stage_settings.magnifier import MagnifierSettings

SETTINGS = MagnifierSettings(method="magnet", factors=(2.0, 3.0), head="as-recorded", light="as-recorded")
SIZE = (112, 96)


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return measure.cut_face("astronaut", SIZE)


def magnify_pair(first: np.ndarray, second: np.ndarray, settings: MagnifierSettings = SETTINGS) -> np.ndarray:
    """The second frame magnified, [F, H, W, 3], in grey levels."""
    clip = np.clip(np.rint(np.stack([first, second])), 0, 255).astype(np.uint8)
    shown = STAGE.compute({"interpolator": {"frames": clip, "fps": np.float64(40)}}, settings)["frames"]
    return shown[:, 1].astype(np.float64)


@pytest.mark.parametrize(("amplitude", "error"), [(0.3, 1.5), (1.0, 4.0), (2.0, 8.0)])
def test_a_known_motion_gets_its_nominal_gain(face: np.ndarray, amplitude: float, error: float) -> None:
    found = measure.measure_face(face, amplitude, SETTINGS)
    np.testing.assert_allclose(found[:, 0], [3, 4], rtol=0.15)
    assert found[:, 1].max() < error


def test_long_motions_are_magnified_better_than_by_evm(face: np.ndarray) -> None:
    (_, learned), (_, linear) = (
        measure.measure_face(face, 2.0, SETTINGS.model_copy(update={"method": method})) for method in ("magnet", "evm")
    )
    assert learned[0] > linear[0] + 1
    assert learned[1] < 0.8 * linear[1]


@pytest.mark.parametrize("change", ["light", "colour"])
def test_light_and_colours_are_hardly_magnified(face: np.ndarray, change: str) -> None:
    """What changes beyond the recorded change, seen as the flow sees it: EVM without evened light magnifies light."""
    second = face * 1.05 if change == "light" else face + np.array([6.0, 0.0, -6.0])
    recorded = np.clip(np.rint(second), 0, 255)
    rms = {}
    for method in ("magnet", "evm"):
        shown = magnify_pair(face, second, SETTINGS.model_copy(update={"method": method}))[0]
        beyond = measure.known_motion.blur_like_flow((shown - recorded) @ measure.known_motion.LUMA_WEIGHTS)
        rms[method] = np.sqrt(np.mean(beyond**2))
    assert rms["magnet"] < 1.0
    assert change == "colour" or rms["magnet"] < 0.2 * rms["evm"]


def test_a_grey_clip_stays_grey(face: np.ndarray) -> None:
    grey = (face @ measure.known_motion.LUMA_WEIGHTS)[..., None].repeat(3, -1)
    field = measure.known_motion.gaussian_bump(*SIZE, *measure.known_motion.SPOTS["brow"])
    shown = magnify_pair(grey, measure.known_motion.move_face(grey, field, 1.0))
    assert np.abs(shown - shown.mean(-1, keepdims=True)).mean() < 0.5
