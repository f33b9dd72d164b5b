"""The effect of head motion on an expression: flow from onset to apex against the true expression alone.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/head_motion.py    # writes benchmarks/results/head-cpu.json

The clips are those of `truth.py`. Heads move little (plain), more (hard), or also out of the plane (hardest). Each
addition of hardest to hard is measured by itself too. The clips go through profile `corrected` with the head as
recorded and steadied. The truth is the motion of the same clip with a still head. Rigid motion (shift, turn, scale) is
removed from both by least squares over the face, as `fmer-lite` does with its maps, so that it costs nothing here.
Figures: motion out per motion in (least squares) and correlation, clips pooled.
"""

import json
from typing import Any

import numpy as np
import torch

from benchmarks import truth
from benchmarks.common import describe_machine, result_file, write_result
from benchmarks.truth import Floats
from merstream.synth.difficulty import DIFFICULTIES, Difficulty
from services.flow import stage as flow
from services.trainer.models.head_motion import similarity_basis

HEAD_MOTION_FACTORS = (0.0, 1.2, 2.0, 3.0)
HEAD_TREATMENTS = ("as-recorded", "steadied")
HARDEST_ADDITIONS = {
    "turn and nod": ("head_turn",),
    "uneven light": ("side_light",),
    "lids, more action units": ("lids", "optional", "stray"),
}


def difficulty_variants() -> dict[str, Difficulty]:
    """All difficulties, and hard with each addition of hardest."""
    hard, hardest = DIFFICULTIES["hard"], DIFFICULTIES["hardest"]
    added = {
        f"hard, {name}": hard.model_copy(update={field: getattr(hardest, field) for field in fields})
        for name, fields in HARDEST_ADDITIONS.items()
    }
    return {**DIFFICULTIES, **added}


def score_head_motion(clips: list[truth.TrueClip]) -> dict[str, Any]:
    sums = np.zeros((len(HEAD_TREATMENTS), len(HEAD_MOTION_FACTORS), 3, 3))
    settings: Any = truth.profile_settings("corrected")
    for clip in clips:
        shown = truth.interpolate_clip(clip, settings["interpolator"])
        last = truth.count_pairs_to(shown.positions, clip.apex)
        still = clip.with_still_head()
        true = expression_by_region(clip, still.true_flows([(shown.positions[0], shown.positions[last])])[0])
        for by_factor, head in zip(sums, HEAD_TREATMENTS, strict=True):
            magnified = shown.magnify(settings["magnifier"].model_copy(update={"head": head}), HEAD_MOTION_FACTORS)
            to_apex = magnified | {"frames": magnified["frames"][:, : last + 1]}
            found_flows = flow.compute({"magnifier": to_apex}, settings["flow"])["flows"].astype(np.float64)
            for by_region, flows in zip(by_factor, found_flows, strict=True):
                for cell, found, known in zip(by_region, expression_by_region(clip, flows.sum(0)), true, strict=True):
                    cell += (found * found).sum(), (found * known).sum(), (known * known).sum()
    return {
        f"head {head}, factor {factor:g}": {
            name: dict(
                zip(("gain", "correlation"), np.round(truth.gain_and_correlation(cell), 3).tolist(), strict=True)
            )
            for name, cell in zip(("face", "brows", "mouth"), cells, strict=True)
        }
        for head, by_factor in zip(HEAD_TREATMENTS, sums, strict=True)
        for factor, cells in zip(HEAD_MOTION_FACTORS, by_factor, strict=True)
    }


def expression_by_region(clip: truth.TrueClip, motion: Floats) -> list[Floats]:
    """A motion [2, H, W] without its rigid part: over the face [2, N], around brows' ROIs [2, 10], mouth's [2, 20]."""
    mask = clip.region_masks()["face"]
    basis = similarity_basis(torch.tensor(np.argwhere(mask)[:, ::-1].copy())).double().numpy()
    inside = motion[:, mask].ravel()
    expression = np.zeros_like(motion)
    expression[:, mask] = (inside - basis @ (basis.T @ inside)).reshape(2, -1)
    around = clip.mean_around_rois(expression)
    return [expression[:, mask], around[:, truth.BROWS], around[:, truth.MOUTH]]


def main() -> None:
    options = truth.clip_argument_parser(__doc__, result_file("head-cpu")).parse_args()
    torch.set_num_threads(1)
    drawn, results = truth.clip_options(options), {}
    for name, difficulty in difficulty_variants().items():
        results[name] = score_head_motion(truth.draw_clips(**drawn, difficulty=difficulty))
        print(name, json.dumps(results[name], indent=1), flush=True)
    machine = describe_machine("numpy", "opencv-python-headless", "numba", "torch")
    write_result(options.out, {"benchmark": "head_motion", "machine": machine, **drawn, "results": results})


if __name__ == "__main__":
    main()
