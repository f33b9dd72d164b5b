"""What a head's motion leaves of an expression: flow from onset to apex against the true expression alone.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/head_motion.py    # writes benchmarks/results/head-cpu.json

The clips of `truth.py`, with heads that move little (plain), more (hard) and out of the plane too (hardest; and what
that adds to hard, one by one), through profile `corrected` with the head as recorded and steadied. From the flow and
from the true motion of the same clip with a still head, what a head could do (moving, turning, scaling) is taken out by
least squares over the face, as `fmer-lite` does with its maps: whatever is rigid costs nothing here. Motion out per
motion in (least squares) and correlation, clips pooled.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import truth
from benchmarks.machine import describe_machine
from merstream.synth.difficulty import DIFFICULTIES, Difficulty
from services.flow import stage as flow
from services.interpolator import stage as interpolator
from services.interpolator.timeline import frame_positions, shown_frame_rate
from services.magnifier import stage as magnifier
from services.trainer.models.head_motion import similarity_basis

HEAD_MOTION_RESULT = Path(__file__).parent / "results" / "head-cpu.json"
HEAD_MOTION_FACTORS = (0.0, 1.2, 2.0, 3.0)
HEAD_TREATMENTS = ("as-recorded", "steadied")
HARDEST_ADDITIONS = {
    "turn and nod": ("head_turn",),
    "uneven light": ("side_light",),
    "lids, more action units": ("lids", "optional", "stray"),
}
Floats = NDArray[Any]


def difficulty_variants() -> dict[str, Difficulty]:
    """All difficulties, and hard with each of what hardest adds to it."""
    hard, hardest = DIFFICULTIES["hard"], DIFFICULTIES["hardest"]
    added = {
        f"hard, {name}": hard.model_copy(update={field: getattr(hardest, field) for field in fields})
        for name, fields in HARDEST_ADDITIONS.items()
    }
    return {**DIFFICULTIES, **added}


def score_head_motion(clips: list[truth.TrueClip]) -> dict[str, Any]:
    sums = np.zeros((len(HEAD_TREATMENTS), len(HEAD_MOTION_FACTORS), 3, 3))
    for clip in clips:
        positions, frames = interpolated_frames(clip)
        last = max(1, int(np.argmin(np.abs(np.array(positions) - clip.apex))))
        true = expression_by_region(clip, clip.with_still_head().true_flows([(positions[0], positions[last])])[0])
        for by_factor, head in zip(sums, HEAD_TREATMENTS, strict=True):
            for by_region, flows in zip(by_factor, magnified_flows(clip, positions, frames, head), strict=True):
                for cell, found, known in zip(
                    by_region, expression_by_region(clip, flows[:last].sum(0)), true, strict=True
                ):
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


def interpolated_frames(clip: truth.TrueClip) -> tuple[list[float], NDArray[np.uint8]]:
    """The interpolated frames but the first, which is not magnified: positions (frames after onset), and all frames."""
    settings: Any = truth.profile_settings("corrected")["interpolator"]
    positions = frame_positions(settings.timeline, 0, clip.apex, clip.offset, settings.flow_frames)
    frames = interpolator.interpolate(clip.frames, 0, clip.apex, clip.offset, settings.flow_frames, settings)
    return positions[1:], frames


def magnified_flows(clip: truth.TrueClip, positions: list[float], frames: NDArray[np.uint8], head: str) -> Floats:
    """FACTORS x pairs x 2xHxW px."""
    settings: Any = truth.profile_settings("corrected")
    given = {"frames": frames, "fps": np.array(shown_frame_rate(positions, clip.fps))}
    asked = settings["magnifier"].model_copy(update={"factors": HEAD_MOTION_FACTORS, "head": head})
    magnified = magnifier.compute({"interpolator": given}, asked)
    return flow.compute({"magnifier": magnified}, settings["flow"])["flows"].astype(np.float64)


def expression_by_region(clip: truth.TrueClip, motion: Floats) -> list[Floats]:
    """Of a motion 2xHxW what is not a head's: over the face, around the brows' ROIs, around the mouth's."""
    mask = clip.region_masks()["face"]
    basis = similarity_basis(torch.tensor(np.argwhere(mask)[:, ::-1].copy())).double().numpy()
    inside = motion[:, mask].ravel()
    left = np.zeros_like(motion)
    left[:, mask] = (inside - basis @ (basis.T @ inside)).reshape(2, -1)
    around = clip.mean_around_rois(left)
    return [left[:, mask], around[:, truth.BROWS], around[:, truth.MOUTH]]


def main() -> None:
    options = truth.clip_argument_parser(__doc__, HEAD_MOTION_RESULT).parse_args()
    torch.set_num_threads(1)
    asked, results = truth.clip_options(options), {}
    for hardness, difficulty in difficulty_variants().items():
        with tempfile.TemporaryDirectory() as folder:
            results[hardness] = score_head_motion(truth.draw_clips(Path(folder), **asked, difficulty=difficulty))
        print(hardness, json.dumps(results[hardness], indent=1), flush=True)
    used = describe_machine("numpy", "opencv-python-headless", "numba", "torch")
    report = {"benchmark": "head_motion", "machine": used, **asked, "results": results}
    options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
