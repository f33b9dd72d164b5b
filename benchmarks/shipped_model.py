"""How well the shipped model recognises drawn faces that trained nothing, and under which disturbances it fails.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/shipped_model.py [--run FOLDER]

Writes benchmarks/results/shipped-model.json. Maps are drawn without pictures (merstream/shipped_model), with seeds that
neither trained nor calibrated the model, in both geometries. `--run`: also the clips of a `mer run` on drawn frames,
which went through every stage. The recorded run is that of `mer synth --subjects 12 --clips 15 --seed 101 --difficulty
hard` with three of its factors.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score

import merstream
from benchmarks.common import argument_parser, describe_machine, result_file, write_result
from merstream.shipped_model.drawn_face import DrawnFace
from merstream.shipped_model.expressions import MovedSkin
from merstream.shipped_model.map_drawing import COMMON_DISTURBANCES, MapDisturbances, draw_fine_flow, draw_maps_of_faces
from merstream.synth.action_units import MIDLINE_AUS
from merstream.synth.identity import draw_face_shape, random_generator
from services.trainer.evaluation.metrics import score_emotions
from services.trainer.recogniser.geometry import GEOMETRIES
from services.trainer.recogniser.labels import CLASS_OF_FINE, FINE_CLASSES, NO_CLASS, SHIPPED_UNITS, THREE_CLASSES
from services.trainer.recogniser.shipped import SHIPPED_FILE, EventProbabilities, ShippedRecogniser, load_shipped
from services.trainer.recogniser.training import LabelledMaps

SEED, UNIT_SEED = 13, 14
CONDITIONS = {
    "as in training": COMMON_DISTURBANCES,
    "little noise": replace(COMMON_DISTURBANCES, noise=(0.02, 0.05), head=(0.02, 0.05)),
    "head motion as large as the expression": replace(COMMON_DISTURBANCES, head=(1.0, 1.0)),
    "noise of half the expression": replace(COMMON_DISTURBANCES, noise=(0.5, 0.5)),
    "a third of the amplitude": replace(COMMON_DISTURBANCES, amplitude=(0.33, 0.33), noise=(0.1, 0.1), head=(0.1, 0.1)),
    "very smooth flow": replace(COMMON_DISTURBANCES, blur=(0.2, 0.2)),
    "always blinks": replace(COMMON_DISTURBANCES, blink=1.0),
}
NAMES = np.array([*FINE_CLASSES, NO_CLASS])


def score_drawn(found: EventProbabilities, drawn: LabelledMaps) -> dict[str, Any]:
    """UF1 and UAR of three and of five classes where there is an expression; how often "none" is right and wrong."""
    shown, rests = (drawn.fine >= 0) & (drawn.fine < len(FINE_CLASSES)), drawn.fine == len(FINE_CLASSES)
    fine = NAMES[drawn.fine[shown]]
    three = np.array([CLASS_OF_FINE[name] for name in fine])
    scores = {
        "three": score_emotions(three, np.array(THREE_CLASSES)[found.coarse[shown, :3].argmax(1)], drawn.faces[shown]),
        "five": score_emotions(fine, NAMES[found.fine[shown, :5].argmax(1)], drawn.faces[shown]),
    }
    sure = found.coarse[shown, :3].max(1) >= 0.8
    right = np.array(THREE_CLASSES)[found.coarse[shown, :3].argmax(1)] == three
    return {
        "maps": int(shown.sum()),
        **{f"{name} {figure}": score[figure] for name, score in scores.items() for figure in ("uf1", "uar")},
        "sure": float(sure.mean()),
        "right where sure": float(right[sure].mean()) if sure.any() else None,
        "expected calibration error": calibration_error(found.coarse[shown | rests], drawn.fine[shown | rests]),
        "none where nothing is shown": float((found.fine[rests].argmax(1) == 5).mean()),
        "none where something is shown": float((found.fine[shown].argmax(1) == 5).mean()),
        "AU F1": unit_f1(found.units, drawn.units)["mean"],
    }


def calibration_error(three: NDArray[np.float64], fine: NDArray[np.int64]) -> float:
    """Mean over ten bins of probability of |accuracy - mean probability|, weighted by their maps (Guo et al. 2017)."""
    names = [*THREE_CLASSES, NO_CLASS]
    truth = np.array([names.index(CLASS_OF_FINE[name]) for name in NAMES[fine]])
    sure, right = three.max(1), three.argmax(1) == truth
    bins = np.minimum((sure * 10).astype(int), 9)
    parts = [(bins == k) for k in range(10) if (bins == k).any()]
    return float(sum(part.mean() * abs(right[part].mean() - sure[part].mean()) for part in parts))


def unit_f1(found: NDArray[np.float64], true: NDArray[np.float32]) -> dict[str, Any]:
    """F1 at probability 0.5 and area under the ROC curve of each AU that occurs."""
    rows = {}
    for column, unit in enumerate(SHIPPED_UNITS):
        marks = true[:, column] > 0
        if 0 < marks.sum() < len(marks):
            rows[str(unit)] = {
                "shown": int(marks.sum()),
                "f1": float(f1_score(marks, found[:, column] > 0.5)),
                "auc": float(roc_auc_score(marks, found[:, column])),
            }
    return {"mean": float(np.mean([row["f1"] for row in rows.values()])), "units": rows}


def measure_single_units(model: ShippedRecogniser, faces: int, maps: int) -> dict[str, Any]:
    """Each AU alone, on both sides and on one: the share in which it is found, and the classes that are answered."""
    rows: dict[str, Any] = {}
    drawn_faces = [
        DrawnFace(random_generator(UNIT_SEED, number, 4), draw_face_shape(UNIT_SEED, number))
        for number in range(1, faces + 1)
    ]
    for unit in SHIPPED_UNITS:
        for sides in ([""],) if unit in MIDLINE_AUS else (["L", "R"], ["L"]):
            flows = [
                (
                    face,
                    draw_fine_flow(rng, face, [MovedSkin(unit, side, 1.0) for side in sides], MapDisturbances(), False),
                )
                for number, face in enumerate(drawn_faces)
                for rng in [random_generator(UNIT_SEED, number, unit, len(sides))]
                for _ in range(maps)
            ]
            rng = random_generator(UNIT_SEED, unit)
            for geometry in GEOMETRIES:
                read = [
                    face.read_aligned(flow) if geometry == "aligned" else face.read_published(rng, flow)
                    for face, flow in flows
                ]
                found = model.predict(np.array(read)[:, None], geometry)
                answers = np.array([*THREE_CLASSES, NO_CLASS])[found.coarse.argmax(1)].tolist()
                rows.setdefault(geometry, {})[f"{unit}{' one side' if sides == ['L'] else ''}"] = {
                    "found": float((found.units[:, SHIPPED_UNITS.index(unit)] > 0.5).mean()),
                    "answers": {name: answers.count(name) / len(answers) for name in (*THREE_CLASSES, NO_CLASS)},
                }
    return rows


def measure_run(model: ShippedRecogniser, folder: Path) -> dict[str, Any]:
    """The clips of a run of `mer run` on drawn frames: five classes as in its sheet, and three."""
    features = merstream.load_features(folder)
    factors = [0, len(features.factors) // 2, len(features.factors) - 1]
    found = model.predict(features.arrays["maps"][:, factors])
    fine = np.array(features.classes)[features.emotions]
    three = np.array([CLASS_OF_FINE[name] for name in fine])
    five = score_emotions(fine, NAMES[found.fine[:, :5].argmax(1)], features.subjects)
    classes = score_emotions(three, np.array(THREE_CLASSES)[found.coarse[:, :3].argmax(1)], features.subjects)
    shared = [unit for unit in SHIPPED_UNITS if unit in features.target_units]
    true = np.zeros((len(fine), len(SHIPPED_UNITS)), np.float32)
    true[:, [SHIPPED_UNITS.index(unit) for unit in shared]] = features.au_targets(shared)
    return {
        "clips": len(fine),
        "factors": features.factors[factors].tolist(),
        "three uf1": classes["uf1"],
        "five uf1": five["uf1"],
        "five uar": five["uar"],
        "classes": five["classes"],
        "confusion": five["confusion"],
        "none answered": float((found.fine.argmax(1) == 5).mean()),
        "AUs": unit_f1(found.units, true),
    }


def main() -> None:
    parser = argument_parser(__doc__, result_file("shipped-model"))
    parser.add_argument("--model", type=Path, default=SHIPPED_FILE, help="weights to measure")
    parser.add_argument("--run", type=Path, help="folder of a `mer run` on drawn frames")
    parser.add_argument("--faces", type=int, default=20)
    parser.add_argument("--maps", type=int, default=40, help="of each face, by condition")
    parser.add_argument("--unit-maps", type=int, default=3, help="of each face, by AU")
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = load_shipped(given.model)
    result: dict[str, Any] = {"benchmark": "shipped_model", "digest": model.digest, "seeds": [SEED, UNIT_SEED]}
    result |= {"faces": given.faces, "maps": given.maps, "machine": describe_machine("torch", "numpy")}
    if given.run:
        result["through every stage"] = measure_run(model, given.run)
        write_result(given.out, result)
    for name, disturbances in CONDITIONS.items():
        drawn = draw_maps_of_faces(SEED, range(1, given.faces + 1), given.maps, disturbances)
        for geometry in GEOMETRIES:
            found = model.predict(getattr(drawn, geometry)[:, None], geometry)
            result.setdefault(name, {})[geometry] = figures = score_drawn(found, drawn)
            print(
                name,
                geometry,
                *(f"{key} {value:.3f}" for key, value in figures.items() if value is not None),
                sep=" | ",
                flush=True,
            )
            if name == "as in training":
                result.setdefault("AUs", {})[geometry] = unit_f1(found.units, drawn.units)
        write_result(given.out, result)
    result["single AUs"] = measure_single_units(model, given.faces, given.unit_maps)
    write_result(given.out, result)


if __name__ == "__main__":
    main()
