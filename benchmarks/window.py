"""The interpolator's timelines and its mean of recorded frames, against the true expression of drawn clips.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/window.py    # writes benchmarks/results/window-cpu.json

Clips are those of `truth.py`, difficulty hard, at 200 frames/s, with half and a quarter of their frames, in clips of
0.2 s, and with a head that moves by 4 px. They go through interpolator and magnifier of profile `corrected`. The flow
between shown frames is compared with the motion of the same clip with a still head, as in `head_motion.py`: over the
face, without its rigid part. Figures: motion out per motion in (least squares) and correlation, for each pair of frames
and for the sum of flows from the onset to the frame nearest the apex. The truth of the latter is the motion to the
coded apex itself. CPU seconds are those of the stage for a clip, with its AU clip.
"""

import itertools
import json
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks import truth
from benchmarks.common import argument_parser, describe_machine, result_file, time_call, write_result
from benchmarks.head_motion import expression_by_region
from benchmarks.truth import Floats
from merstream.synth.difficulty import DIFFICULTIES
from services.flow import stage as flow
from services.interpolator.stage import compute
from shared.stage_settings.interpolator import InterpolatorSettings

WINDOW_FACTORS = (0.0, 2.0)
CONDITIONS: dict[str, tuple[dict[str, Any], int]] = {  # what differs from hard, and every how many-th frame is kept
    "200 frames/s": ({}, 1),
    "100 frames/s": ({}, 2),
    "50 frames/s": ({}, 4),
    "200 frames/s, 0.2 s": ({"duration": (0.2, 0.2)}, 1),
    "200 frames/s, head 4 px": ({"head_motion": 4.0}, 1),
}
INTERPOLATOR_VARIANTS = {
    "no window": InterpolatorSettings(window=0),
    "window 0.5": InterpolatorSettings(window=0.5),
    "window 1": InterpolatorSettings(),
    "window 2": InterpolatorSettings(window=2),
    "window 1, uniform": InterpolatorSettings(timeline="uniform"),
    "no window, uniform": InterpolatorSettings(timeline="uniform", window=0),
    "no window, the paper's timeline": InterpolatorSettings(timeline="apex", window=0),
}
EVERYWHERE = ("no window", "window 1")  # the other variants are measured in the first condition alone


def thin_clip(clip: truth.TrueClip, every: int) -> truth.TrueClip:
    """The clip with every so many-th frame alone, the apex among them. Its onset is the first frame that is left."""
    start = clip.apex % every
    numbers = (clip.motion.numbers - clip.onset - start) / every
    return replace(
        clip,
        frames=clip.frames[start::every],
        apex=(clip.apex - start) // every,
        fps=clip.fps / every,
        motion=replace(clip.motion, numbers=numbers),
        onset=0,
    )


def magnify_from_onset(shown: truth.ShownFrames, settings: Any) -> Floats:
    """Magnified frames uint8 [factors, T, H, W, 3] with the onset, which no magnification changes."""
    magnified = shown.magnify(settings, WINDOW_FACTORS)
    if shown.magnified_numbers(magnified)[0] == 0:
        return magnified["frames"]
    onset = np.repeat(shown.frames[None, :1], len(WINDOW_FACTORS), axis=0)
    return np.concatenate([onset, magnified["frames"]], axis=1)


def measure_variant(clip: truth.TrueClip, settings: InterpolatorSettings) -> tuple[Floats, float]:
    """Sums [factors, 2, 3] as in `truth.gain_sums`, for pairs and for the way to the apex; the stage's CPU seconds."""
    chain: Any = truth.profile_settings("corrected")
    marks = {"onset": 0, "apex": clip.apex, "offset": clip.offset, "fps": clip.fps}
    inputs = {"frames": clip.frames} | {name: np.array(value) for name, value in marks.items()}
    timed = time_call(lambda: compute({"ingest": inputs}, settings))
    shown = truth.ShownFrames(clip, timed.result["positions"].tolist(), timed.result["frames"])
    magnified = {"frames": magnify_from_onset(shown, chain["magnifier"]), "factors": np.array(WINDOW_FACTORS)}
    flows = flow.compute({"magnifier": magnified}, chain["flow"])["flows"].astype(np.float64)
    spans = [*itertools.pairwise(shown.positions), (0.0, float(clip.apex))]
    true = clip.with_still_head().true_flows(spans)
    known = np.stack([expression_by_region(clip, each)[0] for each in true])
    last, sums = truth.count_pairs_to(shown.positions, clip.apex), np.zeros((len(WINDOW_FACTORS), 2, 3))
    for row, by_pair in zip(sums, flows, strict=True):
        found = np.stack([expression_by_region(clip, each)[0] for each in by_pair])
        for cell, m, t in ((row[0], found, known[:-1]), (row[1], found[:last].sum(0), known[-1])):
            cell += (m * m).sum(), (m * t).sum(), (t * t).sum()
    return sums, timed.cpu_seconds


def score_variant(clips: list[truth.TrueClip], settings: InterpolatorSettings) -> dict[str, Any]:
    measured = [measure_variant(clip, settings) for clip in clips]
    pooled = np.sum([sums for sums, _ in measured], 0)
    apart = np.array([sums[:, 1] for sums, _ in measured])  # [clips, factors, 3], the way to the apex
    by_clip = apart[..., 1] / np.sqrt(apart[..., 0] * apart[..., 2])
    table: dict[str, Any] = {
        f"factor {factor:g}, {span}": dict(
            zip(("gain", "correlation"), np.round(truth.gain_and_correlation(cell), 3).tolist(), strict=True)
        )
        for factor, row in zip(WINDOW_FACTORS, pooled, strict=True)
        for span, cell in zip(("pairs", "to the apex"), row, strict=True)
    }
    for factor, spread in zip(WINDOW_FACTORS, by_clip.std(0), strict=True):
        table[f"factor {factor:g}, to the apex"]["sd over clips"] = round(float(spread), 3)
    return table | {"cpu_s": round(float(np.mean([seconds for _, seconds in measured])), 3)}


def main() -> None:
    parser = argument_parser(__doc__, result_file("window-cpu"))
    parser.add_argument("--clips", type=int, default=3, help="per seed, of one person; default: %(default)s")
    parser.add_argument("--seeds", type=int, nargs="+", default=[51, 52, 53], help="default: 51 52 53")
    options = parser.parse_args()
    torch.set_num_threads(1)
    compute({"ingest": warm_up_clip()}, InterpolatorSettings())
    results: dict[str, Any] = {}
    for name, (update, every) in CONDITIONS.items():
        difficulty = DIFFICULTIES["hard"].model_copy(update=update)
        drawn = [truth.draw_clips(1, options.clips, seed, difficulty) for seed in options.seeds]
        clips = [thin_clip(clip, every) for clip in itertools.chain(*drawn)]
        results[name] = {
            way: score_variant(clips, settings)
            for way, settings in INTERPOLATOR_VARIANTS.items()
            if way in EVERYWHERE or not results
        }
        print(name, json.dumps(results[name], indent=1), flush=True)
    machine = describe_machine("numpy", "opencv-python-headless", "numba", "torch")
    drawn_as = {"seeds": options.seeds, "clips per seed": options.clips}
    write_result(options.out, {"benchmark": "window", "machine": machine, **drawn_as, "results": results})


def warm_up_clip() -> dict[str, Any]:
    marks = {"onset": 0, "apex": 1, "offset": 2, "fps": 200.0}
    return {"frames": np.zeros((3, 64, 64, 3), np.uint8)} | {name: np.array(value) for name, value in marks.items()}


if __name__ == "__main__":
    main()
