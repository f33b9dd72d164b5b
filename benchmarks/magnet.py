"""MagNet beside EVM: motion out per motion in, what flicker, colour shifts and noise become, and CPU seconds.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/magnet.py  # benchmarks/results/magnet.json

The measure is that of benchmarks/magnification_gain.py: brow and mouth move, and a moved still face explains the
magnified apex. Two faces that no training saw: skimage's astronaut and Grace Hopper of matplotlib, both in the public
domain. Disturbances: nothing moves, and the RMS of what changes from onset to apex is given in grey levels.
"""

from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np

from benchmarks import magnification_gain as known_motion
from benchmarks.common import argument_parser, describe_machine, result_file, time_call, write_result
from services.magnifier.stage import STAGE
from shared.stage_settings.magnifier import FACTORS, MagnifierSettings

BARE = MagnifierSettings(factors=(1.2, 2.0, 3.0), head="as-recorded", light="as-recorded")
METHODS = {name: BARE.model_copy(update={"method": name}) for name in ("evm", "magnet")}
SIZES = ((112, 96), (224, 280), (384, 480))
AMPLITUDES = (0.1, 0.3, 1.0, 2.0, 3.0)  # px
HOPPER_CROP = (slice(130, 340), slice(127, 390))
FPS = 40.0
HEAD_SHIFT = np.array((1.6, 1.2))  # px to the right and down at the apex


def cut_face(name: str, size: tuple[int, int]) -> np.ndarray:
    """The face [H, W, 3] RGB, 0..255, at a size (height, width)."""
    if name == "astronaut":
        crop = known_motion.astronaut()[known_motion.CROPS[(112, 96) if size == (112, 96) else (224, 280)]]
    else:
        crop = cv2.imread(str(Path(matplotlib.get_data_path(), "sample_data/grace_hopper.jpg")))[HOPPER_CROP][..., ::-1]
    return cv2.resize(crop, size[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float64)


def magnify_clip(clip: np.ndarray, settings: MagnifierSettings) -> np.ndarray:
    """uint8 [T, H, W, 3] -> uint8 [F, T, H, W, 3], as the stage does it."""
    return STAGE.compute({"interpolator": {"frames": clip, "fps": np.float64(FPS)}}, settings)["frames"]


def measure_face(face: np.ndarray, amplitude: float, settings: MagnifierSettings) -> np.ndarray:
    """[F, 2]: gain and error per factor, mean over the spots."""
    rows, grey = [], face @ known_motion.LUMA_WEIGHTS
    for spot in known_motion.SPOTS.values():
        field = known_motion.gaussian_bump(*face.shape[:2], *spot)
        clip = known_motion.moving_clip(face, field, amplitude)
        if settings.method == "magnet":  # it compares two frames alone: the same result, sooner
            clip = clip[[0, known_motion.APEX]]
        apexes = magnify_clip(clip, settings)[:, min(known_motion.APEX, len(clip) - 1)]
        longest = 4.5 * amplitude + 0.5
        rows.append(
            [known_motion.fit_amplitude(shown @ known_motion.LUMA_WEIGHTS, grey, field, longest) for shown in apexes]
        )
    return np.mean(rows, axis=0) / (amplitude, 1)


def disturbed_clips(face: np.ndarray) -> dict[str, np.ndarray]:
    """Clips uint8 [T, H, W, 3] of a face at rest, in which the light, the colours or the sensor change."""
    random = np.random.default_rng(0)
    course = 0.5 * (1 - np.cos(np.pi * np.arange(known_motion.FRAMES) / known_motion.APEX))[:, None, None, None]
    clips = {
        "light +5 %": face * (1 + 0.05 * course),
        "colour +6, 0, -6 levels": face + np.array([6.0, 0.0, -6.0]) * course,
        "noise of 1 level": face + random.normal(0, 1, (known_motion.FRAMES, *face.shape)),
        "noise of 2 levels": face + random.normal(0, 2, (known_motion.FRAMES, *face.shape)),
    }
    return {name: np.clip(np.rint(clip), 0, 255).astype(np.uint8) for name, clip in clips.items()}


def measure_disturbance(clip: np.ndarray, settings: MagnifierSettings) -> list[float]:
    """RMS grey levels per factor, from onset to apex, beyond what changes without magnification."""
    shown = magnify_clip(clip, settings)[:, [0, known_motion.APEX]].astype(np.float64) @ known_motion.LUMA_WEIGHTS
    recorded = clip[known_motion.APEX] @ known_motion.LUMA_WEIGHTS
    beyond = [known_motion.blur_like_flow(apex - recorded) for _, apex in shown]
    return [round(float(np.sqrt(np.mean(change**2))), 2) for change in beyond]


def measure_disturbances(face: np.ndarray) -> dict[str, list[float]]:
    return {
        f"{name}, {method}": measure_disturbance(clip, settings)
        for name, clip in disturbed_clips(face).items()
        for method, settings in METHODS.items()
    }


def measure_head_motion(face: np.ndarray) -> dict[str, dict[str, float | list[float]]]:
    """A head that shifts by `HEAD_SHIFT` and is steadied, by method.

    `rest`: RMS grey levels between onset and magnified apex of a face without expression, at factor 0 and the others.
    `gain` and `error`: those of a brow that moves by 1 px besides.
    """
    height, width = face.shape[:2]
    inner = (slice(height // 8, -height // 8), slice(width // 8, -width // 8))  # no border that came into view
    shift, brow = np.broadcast_to(HEAD_SHIFT, (height, width, 2)), known_motion.SPOTS["brow"]
    field, grey, found = known_motion.gaussian_bump(height, width, *brow), face @ known_motion.LUMA_WEIGHTS, {}
    resting, moving = (known_motion.moving_clip(face, shift + part, 1.0) for part in (0, field))
    for name, bare in METHODS.items():
        settings = bare.model_copy(update={"head": "steadied", "factors": (0.0, *bare.factors)})
        onset, apex = (
            magnify_clip(resting, settings)[:, k] @ known_motion.LUMA_WEIGHTS for k in (0, known_motion.APEX)
        )
        change = [known_motion.blur_like_flow(each)[inner] for each in apex - onset]
        shown = magnify_clip(moving, settings)[1:, known_motion.APEX] @ known_motion.LUMA_WEIGHTS
        gains = np.array([known_motion.fit_amplitude(each, grey, field, 5.0) for each in shown])
        found[name] = {
            "rest": [round(float(np.sqrt(np.mean(each**2))), 2) for each in change],
            "gain": gains[:, 0].round(2).tolist(),
            "error": gains[:, 1].round(2).tolist(),
        }
    return found


def measure_cost(face: np.ndarray) -> dict[str, float]:
    """CPU seconds of the stage for 10 frames and ten factors, with head and light, by method."""
    field = known_motion.gaussian_bump(*face.shape[:2], *known_motion.SPOTS["brow"])
    clip = known_motion.moving_clip(face, field, 1.0)[:10]
    whole = [MagnifierSettings(method=method, factors=FACTORS) for method in METHODS]
    return {
        settings.method: round(time_call(partial(magnify_clip, clip, settings), 2).cpu_seconds, 2) for settings in whole
    }


def measure_gains(size: tuple[int, int]) -> dict[str, dict[str, list[float]]]:
    """Gain and error per factor, by size, face, amplitude and method."""
    found = {}
    for name, amplitude, method in product(("astronaut", "hopper"), AMPLITUDES, METHODS):
        gains = measure_face(cut_face(name, size), amplitude, METHODS[method])
        key = f"{size[0]}x{size[1]}, {name}, {amplitude} px, {method}"
        found[key] = {"gain": gains[:, 0].round(2).tolist(), "error": gains[:, 1].round(2).tolist()}
        print(key, found[key], flush=True)
    return found


def main() -> None:
    options = argument_parser(__doc__, result_file("magnet")).parse_args()
    cv2.setNumThreads(1)
    face = cut_face("astronaut", (224, 280))
    result: dict[str, Any] = {
        "machine": describe_machine("torch", "numpy"),
        "factors": BARE.factors,
        "CPU seconds, 10 frames of 224x280, ten factors": measure_cost(face),
        "disturbances": measure_disturbances(face),
        "head motion": measure_head_motion(face),
        "gains": {},
    }
    for size in SIZES:
        write_result(options.out, result)  # what is measured is kept if a size takes too long
        result["gains"] |= measure_gains(size)
    write_result(options.out, result)


if __name__ == "__main__":
    main()
