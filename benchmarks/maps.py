"""roi-au's maps against the true motion: flows concatenated, summed, or one flow; and three ways to compute strain.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/maps.py      # minutes; writes benchmarks/results/maps-cpu.json

Clips, profiles (heads as recorded) and truth are those of `truth.py`, in px of the crop, seen through the map's 28x28
cells. The motion is that of a map: from the first frame with a flow to the one nearest the apex. The former is the
onset where the magnifier keeps it (`corrected`), and the second frame otherwise.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import truth
from benchmarks.common import describe_machine, result_file, write_result
from benchmarks.truth import Floats
from merstream.synth import Difficulty
from services.flow.black_anandan import estimate_flow
from services.flow.stage import rgb_to_luma
from services.roi_au import maps
from shared.stage import StageSettings

FACTOR = 2.0
SettingsByStage = Mapping[str, StageSettings]


def map_frames(clip: truth.TrueClip, settings: SettingsByStage) -> tuple[dict[str, NDArray[np.uint8]], list[float]]:
    """Grey frames [T, H, W] of a map's motion, not magnified and at FACTOR; and positions, frames after the onset."""
    chain: Any = dict(settings)
    shown = truth.interpolate_clip(clip, chain["interpolator"])
    as_recorded = chain["magnifier"].model_copy(update={"head": "as-recorded"})
    magnified = shown.magnify(as_recorded, (FACTOR,))
    numbers = shown.magnified_numbers(magnified)
    positions = [shown.positions[number] for number in numbers]
    last = truth.count_pairs_to(positions, clip.apex)
    kinds = {"not magnified": shown.frames[numbers], f"factor {FACTOR:g}": magnified["frames"][0]}
    greys = {name: np.stack([rgb_to_luma(each) for each in kind[: last + 1]]) for name, kind in kinds.items()}
    return greys, positions[: last + 1]


def motion_by_method(frames: NDArray[np.uint8], settings: Any) -> dict[str, Floats]:
    """The motion [2, H, W], px, from the first to the last frame by three methods."""
    steps = estimate_flow(frames[:-1], frames[1:], settings).astype(np.float16)
    direct = estimate_flow(frames[:1], frames[-1:], settings)[0]
    found = {
        "one after the other": maps.concatenate_flows(steps),
        "summed": steps.astype(np.float32).sum(0),
        "one": direct,
    }
    return {name: motion.astype(np.float64) for name, motion in found.items()}


def map_cell_values(motion: Floats, landmarks: Floats) -> dict[str, Floats]:
    """A motion [2, H, W] in the map's cells [2, 28, 28], and three versions of its strain [28, 28]."""
    columns, rows, cells_per_px = maps.map_cell_edges(landmarks)
    down, across = maps.pixel_shares(rows, motion.shape[-2]), maps.pixel_shares(columns, motion.shape[-1])
    (uy, ux), (vy, vx) = (np.gradient(part) for part in motion)
    exx, eyy, exy = (down @ part @ across.T for part in (ux, vy, (uy + vx) / 2))
    mean = down @ motion @ across.T
    return {
        "motion": mean,
        "strain, cells": maps.strain_magnitude(mean * cells_per_px),
        "strain, px, mean tensor": np.sqrt(exx**2 + eyy**2 + 2 * exy**2),
        "strain, px, mean magnitude": down @ maps.strain_magnitude(motion) @ across.T,
    }


def relative_error(pairs: list[tuple[Floats, Floats]]) -> float:
    """Norm of the error after one common gain, over the norm of the true motion."""
    found, true = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    return float(np.linalg.norm(found * (found @ true) / (found @ found) - true) / np.linalg.norm(true))


def score_maps(clips: list[truth.TrueClip], settings: SettingsByStage) -> dict[str, Any]:
    pairs: dict[tuple[str, str], list[tuple[dict[str, Floats], dict[str, Floats]]]] = {}
    whole = []
    for clip in clips:
        kinds, positions = map_frames(clip, settings)
        spans = [(positions[0], positions[-1]), (0.0, float(clip.apex))]
        true, onset_to_apex = clip.true_flows(spans).astype(np.float64)
        whole.append(np.hypot(*map_cell_values(onset_to_apex, clip.landmarks)["motion"]).mean())
        for kind, frames in kinds.items():
            for name, motion in motion_by_method(frames, settings["flow"]).items():
                pairs.setdefault((kind, name), []).append(
                    (map_cell_values(motion, clip.landmarks), map_cell_values(true, clip.landmarks))
                )
    table = {f"{kind}, {name}": _error_row(found) for (kind, name), found in pairs.items()}
    return {"true motion from onset to apex, px": round(float(np.mean(whole)), 4), **table}


def _error_row(found: list[tuple[dict[str, Floats], dict[str, Floats]]]) -> dict[str, float]:
    row = {
        "end-point error, px": np.mean([np.hypot(*(one["motion"] - true["motion"])).mean() for one, true in found]),
        "true motion, px": np.mean([np.hypot(*true["motion"]).mean() for _, true in found]),
    }
    for name in found[0][0]:
        row[f"relative error of {name}"] = relative_error([(one[name], true[name]) for one, true in found])
    return {name: round(float(value), 4) for name, value in row.items()}


def main() -> None:
    options = truth.clip_argument_parser(__doc__, result_file("maps-cpu")).parse_args()
    torch.set_num_threads(1)
    drawn = truth.clip_options(options)
    clips = truth.draw_clips(**drawn, difficulty=Difficulty())
    results = {name: score_maps(clips, truth.profile_settings(name)) for name in ("corrected", "paper")}
    machine = describe_machine("numpy", "opencv-python-headless", "numba")
    write_result(options.out, {"benchmark": "maps", "machine": machine, **drawn, "results": results})
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
