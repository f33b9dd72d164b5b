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
from benchmarks.machine import machine
from merstream.synth.difficulty import DIFFICULTIES, Difficulty
from services.flow import stage as flow
from services.interpolator import stage as interpolator
from services.interpolator.timeline import chosen, rate
from services.magnifier import stage as magnifier
from services.trainer.models.head_motion import similarity

RESULT = Path(__file__).parent / "results" / "head-cpu.json"
FACTORS = (0.0, 1.2, 2.0, 3.0)
HEADS = ("as-recorded", "steadied")
ADDED = {
    "turn and nod": ("head_turn",),
    "uneven light": ("side_light",),
    "lids, more action units": ("lids", "optional", "stray"),
}
Floats = NDArray[Any]


def variants() -> dict[str, Difficulty]:
    """All difficulties, and hard with each of what hardest adds to it."""
    hard, hardest = DIFFICULTIES["hard"], DIFFICULTIES["hardest"]
    added = {
        f"hard, {name}": hard.model_copy(update={field: getattr(hardest, field) for field in fields})
        for name, fields in ADDED.items()
    }
    return {**DIFFICULTIES, **added}


def scored(clips: list[truth.Clip]) -> dict[str, Any]:
    sums = np.zeros((len(HEADS), len(FACTORS), 3, 3))
    for clip in clips:
        positions, frames = shown(clip)
        last = max(1, int(np.argmin(np.abs(np.array(positions) - clip.apex))))
        true = regions(clip, clip.expression().flows([(positions[0], positions[last])])[0])
        for by_factor, head in zip(sums, HEADS, strict=True):
            for by_region, flows in zip(by_factor, flowing(clip, positions, frames, head), strict=True):
                for cell, found, known in zip(by_region, regions(clip, flows[:last].sum(0)), true, strict=True):
                    cell += (found * found).sum(), (found * known).sum(), (known * known).sum()
    return {
        f"head {head}, factor {factor:g}": {
            name: dict(zip(("gain", "correlation"), np.round(truth.gain(cell), 3).tolist(), strict=True))
            for name, cell in zip(("face", "brows", "mouth"), cells, strict=True)
        }
        for head, by_factor in zip(HEADS, sums, strict=True)
        for factor, cells in zip(FACTORS, by_factor, strict=True)
    }


def shown(clip: truth.Clip) -> tuple[list[float], NDArray[np.uint8]]:
    """The interpolated frames but the first, which is not magnified: positions (frames after onset), and all frames."""
    settings: Any = truth.profile("corrected")["interpolator"]
    positions = chosen(settings.timeline, 0, clip.apex, clip.offset, settings.flow_frames)
    frames = interpolator.interpolate(clip.frames, 0, clip.apex, clip.offset, settings.flow_frames, settings)
    return positions[1:], frames


def flowing(clip: truth.Clip, positions: list[float], frames: NDArray[np.uint8], head: str) -> Floats:
    """FACTORS x pairs x 2xHxW px."""
    settings: Any = truth.profile("corrected")
    given = {"frames": frames, "fps": np.array(rate(positions, clip.fps))}
    asked = settings["magnifier"].model_copy(update={"factors": FACTORS, "head": head})
    magnified = magnifier.compute({"interpolator": given}, asked)
    return flow.compute({"magnifier": magnified}, settings["flow"])["flows"].astype(np.float64)


def regions(clip: truth.Clip, motion: Floats) -> list[Floats]:
    """Of a motion 2xHxW what is not a head's: over the face, around the brows' ROIs, around the mouth's."""
    mask = clip.regions()["face"]
    basis = similarity(torch.tensor(np.argwhere(mask)[:, ::-1].copy())).double().numpy()
    inside = motion[:, mask].ravel()
    left = np.zeros_like(motion)
    left[:, mask] = (inside - basis @ (basis.T @ inside)).reshape(2, -1)
    around = clip.around_rois(left)
    return [left[:, mask], around[:, truth.BROWS], around[:, truth.MOUTH]]


def main() -> None:
    options = truth.arguments(__doc__, RESULT).parse_args()
    torch.set_num_threads(1)
    asked, results = truth.which(options), {}
    for hardness, difficulty in variants().items():
        with tempfile.TemporaryDirectory() as folder:
            results[hardness] = scored(truth.drawn(Path(folder), **asked, difficulty=difficulty))
        print(hardness, json.dumps(results[hardness], indent=1), flush=True)
    used = machine("numpy", "opencv-python-headless", "numba", "torch")
    report = {"benchmark": "head_motion", "machine": used, **asked, "results": results}
    options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
