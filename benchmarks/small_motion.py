"""When magnification helps: flow from onset to apex against the true expression, by strength of motion and noise.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/small_motion.py    # writes benchmarks/results/small-motion.json

Clips are drawn as for `truth.py`, at one amplitude of the action units each (px of a 640x480 frame) and three levels of
noise: a studio camera, an office camera and a poor one. They go through profile `corrected` at factor 0, which only
steadies the head and evens the light, and at factors 2 and 3. The figures are those of `head_motion.py` over the face:
the correlation with the true expression, and the gain (motion out per motion in). The last figure is paired: in how
many clips the correlation at factor 2 is above that at factor 0.
"""

from typing import Any

import numpy as np
import torch

from benchmarks import truth
from benchmarks.common import describe_machine, result_file, write_result
from benchmarks.head_motion import expression_by_region
from merstream.synth.difficulty import DIFFICULTIES, Difficulty
from services.flow import stage as flow

AMPLITUDES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # px
CAMERAS = {"studio": (0.6, 97), "office": (1.8, 90), "poor": (4.0, 60)}  # noise in grey levels, quality of JPEG
SMALL_MOTION_FACTORS = (0.0, 2.0, 3.0)


def difficulty_of(amplitude: float, camera: str) -> Difficulty:
    """Hard clips at one amplitude, as one camera records them."""
    noise, quality = CAMERAS[camera]
    return DIFFICULTIES["hard"].model_copy(
        update={"amplitude": (amplitude, amplitude), "expressivity": (1.0, 1.0), "noise": noise, "quality": quality}
    )


def sum_products(clip: truth.TrueClip) -> truth.Floats:
    """[factors, 3] sums over the face of found x found, found x true and true x true motion from onset to apex."""
    settings: Any = truth.profile_settings("corrected")
    shown = truth.interpolate_clip(clip, settings["interpolator"])
    last = truth.count_pairs_to(shown.positions, clip.apex)
    still = clip.with_still_head().true_flows([(shown.positions[0], shown.positions[last])])[0]
    true = expression_by_region(clip, still)[0]
    magnified = shown.magnify(settings["magnifier"], SMALL_MOTION_FACTORS)
    frames = magnified | {"frames": magnified["frames"][:, : last + 1]}
    flows = flow.compute({"magnifier": frames}, settings["flow"])["flows"].astype(np.float64)
    found = [expression_by_region(clip, each.sum(0))[0] for each in flows]
    return np.array([[(each * each).sum(), (each * true).sum(), (true * true).sum()] for each in found])


def summarise_clips(sums: truth.Floats) -> dict[str, Any]:
    """Sums [clips, factors, 3] -> gain and correlation per factor, and in how many clips factor 2 is better."""
    by_clip = np.array([[truth.gain_and_correlation(cell)[1] for cell in clip] for clip in sums])
    table: dict[str, Any] = {}
    for factor, cell, each in zip(SMALL_MOTION_FACTORS, sums.sum(0), by_clip.T, strict=True):
        gain, correlation = truth.gain_and_correlation(cell)
        table[f"factor {factor:g}"] = {
            "gain": round(gain, 2),
            "correlation": round(correlation, 3),
            "sd over clips": round(float(each.std(ddof=1)), 3),
        }
    return table | {"clips better at factor 2": f"{int((by_clip[:, 1] > by_clip[:, 0]).sum())} of {len(by_clip)}"}


def main() -> None:
    parser = truth.clip_argument_parser(__doc__, result_file("small-motion"))
    parser.set_defaults(seed=52, subjects=3, clips=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    drawn, results = truth.clip_options(options), {}
    for camera in CAMERAS:
        for amplitude in AMPLITUDES:
            clips = truth.draw_clips(**drawn, difficulty=difficulty_of(amplitude, camera))
            name = f"{camera}, {amplitude:g} px"
            results[name] = summarise_clips(np.array([sum_products(clip) for clip in clips]))
            print(name, results[name], flush=True)
    machine = describe_machine("numpy", "opencv-python-headless", "numba", "torch")
    write_result(options.out, {"benchmark": "small_motion", "machine": machine, **drawn, "results": results})


if __name__ == "__main__":
    main()
