"""How much of an expression the fits of the head's motion take with it, and how much of the head they leave.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/head_leak.py    # writes benchmarks/results/head-leak.json

Each action unit's field of drawn faces (merstream/synth) is put on a map and at the 30 ROIs. A fit is subtracted.
`kept`: amplitude of the field in what is left, by least squares. `alone`: the field and nothing else. `with a head`:
with a head's motion (RMS 0.5 px) and noise of a flow (RMS 0.1 px); the longest vector of the field is 1 px. `head
left`: RMS of what is left of the head, per RMS. A head that turns is no similarity, so part of it must stay. Means over
faces. The ROIs' fit knows no noise here: it is linear.
"""

import json
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common import argument_parser, describe_machine, result_file, write_result
from merstream.synth.action_units import MIDLINE_AUS, displacement_field
from merstream.synth.portrait import neutral_portrait
from services.roi_au.maps import MAP_SIDE, map_cell_edges
from services.trainer.models.head_motion import (
    ROI_PLACES,
    HeadMotion,
    build_map_head_fit,
    face_cells,
    map_cell_positions,
)
from shared.regions_of_interest import ROI
from shared.training.model_settings import ModelSettings

PATTERNS = ((1, 2), (4,), (6,), (9,), (10,), (12,), (6, 12), (14,), (15,), (17,), (20,), (25,))
MAP_FITS = ("least-squares", "robust")
HEADS = ("moves in its plane", "also turns")
FINE = 4  # px of the drawn field per cell of the map
EYE_DISTANCE, MIDDLE = 11.0, 13.5  # cells
HEAD_PX, NOISE_PX = 0.5, 0.1  # RMS; the longest vector of an expression is 1 px

Floats = NDArray[np.float64]


def draw_face(rng: np.random.Generator) -> Floats:
    """Landmarks [68,2] of a face in px of the drawn field, placed as on a map."""
    portrait = neutral_portrait().landmarks
    columns, rows, cells = map_cell_edges(portrait)
    places = (portrait + 0.5 - [columns[0], rows[0]]) * cells - MIDDLE + rng.normal(0, 0.25, portrait.shape)
    return np.asarray((places * rng.uniform(0.93, 1.07, 2) + rng.normal(0, 0.5, 2) + MIDDLE) * FINE)


def draw_pattern(landmarks: Floats, units: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Motion of units on both sides, on the map [2,28,28] and at the ROIs [2,30]. The longest vector is 1 px."""
    side = FINE * MAP_SIDE
    parts = [(unit, which) for unit in units for which in (("",) if unit in MIDLINE_AUS else ("L", "R"))]
    field = np.sum([displacement_field(landmarks, *part, (side, side)) for part in parts], 0).transpose(2, 0, 1)
    field = field / np.linalg.norm(field, axis=0).max()
    x, y = np.clip(np.round(landmarks[ROI].T).astype(int), 0, side - 1)
    return field.reshape(2, MAP_SIDE, FINE, MAP_SIDE, FINE).mean((2, 4), dtype=np.float64), field[:, y, x].astype(float)


def draw_head(kind: str, rng: np.random.Generator) -> Floats:
    """A head's motion [2,28,28]: shift, rotation and scale, and perhaps turn and nod."""
    y, x = (np.mgrid[:MAP_SIDE, :MAP_SIDE] - MIDDLE) / EYE_DISTANCE
    shift, (roll, zoom), (turn, nod) = rng.normal(size=2), 0.4 * rng.normal(size=2), 0.8 * rng.normal(size=2)
    if kind == "moves in its plane":
        turn = nod = 0.0
    depth = -0.6 * x**2 - 0.08 * y**2 + 0.35 * np.exp(-((x / 0.15) ** 2)) * (np.abs(y) < 0.35)  # cheeks, nose
    motion = np.stack([shift[0] - roll * y + zoom * x + turn * depth, shift[1] + roll * x + zoom * y + nod * depth])
    return np.asarray(HEAD_PX * motion / np.sqrt((motion**2).mean()))


def draw_noise(rng: np.random.Generator) -> Floats:
    """Noise of a flow [2,28,28], smooth over a cell."""
    noise = np.stack([cv2.GaussianBlur(rng.normal(size=(MAP_SIDE, MAP_SIDE)), (0, 0), 1.0) for _ in range(2)])
    return np.asarray(NOISE_PX * noise / noise.std())


def subtract_head(fit: torch.nn.Module, motions: Floats) -> Floats:
    """Motions [n,2,...] without the head that the fit finds in each."""
    flat = torch.from_numpy(motions).float().flatten(2)
    return np.asarray((flat - fit(flat)).double().numpy().reshape(motions.shape))


def kept_share(patterns: Floats, left: Floats) -> float:
    """Amplitude of the patterns [n,2,f] in what is left of them, mean over faces."""
    return float(((patterns * left).sum((1, 2)) / (patterns**2).sum((1, 2))).mean())


def left_share(head: Floats, rest: Floats) -> float:
    """RMS of what is left of the head [n,2,f], per RMS, mean over faces."""
    return float(np.sqrt((rest**2).mean((1, 2)) / (head**2).mean((1, 2))).mean())


def measure_map_fit(fit: torch.nn.Module, fields: Floats, heads: dict[str, Floats], noise: Floats) -> dict[str, float]:
    """The figures of one fit for fields [n,2,28,28] of one pattern."""
    inside = face_cells(map_cell_positions(MAP_SIDE)).view(MAP_SIDE, MAP_SIDE).numpy()
    found = {"kept, alone": kept_share(fields[..., inside], subtract_head(fit, fields)[..., inside])}
    for kind, head in heads.items():
        left = subtract_head(fit, fields + head + noise) - noise
        found[f"kept, head {kind}"] = kept_share(fields[..., inside], left[..., inside])
        found[f"head left, {kind}"] = left_share(head[..., inside], (left - fields)[..., inside])
    return found


def measure_fits(faces: int, rng: np.random.Generator) -> dict[str, Any]:
    """By fit and pattern, and the mean over patterns."""
    landmarks = [draw_face(rng) for _ in range(faces)]
    heads = {kind: np.array([draw_head(kind, rng) for _ in range(faces)]) for kind in HEADS}
    noise = np.array([draw_noise(rng) for _ in range(faces)])
    rois = HeadMotion(ROI_PLACES)
    fits = {name: build_map_head_fit(ModelSettings(map_head=name)) for name in MAP_FITS}
    result: dict[str, Any] = {"least-squares at the ROIs": {}, **{name: {} for name in MAP_FITS}}
    for units in PATTERNS:
        title = "AU " + "+".join(map(str, units))
        fields, at_rois = (
            np.array(part) for part in zip(*(draw_pattern(one, units) for one in landmarks), strict=True)
        )
        result["least-squares at the ROIs"][title] = {"kept, alone": kept_share(at_rois, subtract_head(rois, at_rois))}
        for name, fit in fits.items():
            assert fit is not None
            result[name][title] = measure_map_fit(fit, fields, heads, noise)
    for found in result.values():
        found["mean"] = {name: np.mean([row[name] for row in found.values()]) for name in next(iter(found.values()))}
    return result


def round_figures(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: round_figures(part) for name, part in found.items()}
    return round(float(found), 3)


def main() -> None:
    parser = argument_parser(__doc__, result_file("head-leak"))
    parser.add_argument("--faces", type=int, default=10)
    parser.add_argument("--seed", type=int, default=51)
    given = parser.parse_args()
    torch.set_num_threads(1)
    result = round_figures(measure_fits(given.faces, np.random.default_rng(given.seed)))
    print(json.dumps(result, indent=1))
    about = {"benchmark": "head_leak", "faces": given.faces, "seed": given.seed}
    write_result(given.out, {**about, "machine": describe_machine("numpy", "torch"), "fits": result})


if __name__ == "__main__":
    main()
