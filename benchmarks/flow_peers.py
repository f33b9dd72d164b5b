"""Black & Anandan's flow beside OpenCV's: error, gain and correlation against the true motion, and CPU seconds.

`benchmarks/flow.py peers` runs this. Pairs are those of `benchmarks/known_motions.py`, 280 rows x 224, of one drawn
person per seed. Every method sees the same bytes. Figures pool the seeds, except the spread of the error (largest minus
smallest of a seed). Scored are all pixels but the outer 24 px. Gain is motion out per true motion in (least squares),
correlation is about zero. TV-L1 runs only if OpenCV has its module `optflow`, which opencv-contrib-python-headless
contains. To keep it out of the environment, install it into a folder of its own, and put that into PYTHONPATH. The file
of the result keeps the rows of methods that did not run this time.

    OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 PYTHONPATH=. python benchmarks/flow.py peers    # two minutes
    python -m pip install --no-deps --target /tmp/contrib opencv-contrib-python-headless
    PYTHONPATH=/tmp/contrib:. python benchmarks/flow.py peers --methods TV-L1 --lengths .1 .5 2 8 12    # three minutes
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common import time_call
from benchmarks.known_motions import DISTURBANCES, MOTIONS, KnownPair, MovingFace
from services.flow.black_anandan import estimate_flow
from shared.stage_settings.flow import FLOW_PROFILES

LENGTHS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 8, 10, 12, 16, 20)  # px, of the largest motion in the frame
PairFlow = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]


def peer_methods() -> dict[str, PairFlow]:
    """The methods by name: grey frames uint8 [H, W], twice -> flow float32 [2, H, W], px."""
    medium = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    fine = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    fine.setFinestScale(0)  # down to single pixels; the preset stops at half of the resolution
    two_levels = FLOW_PROFILES["corrected"].model_copy(update={"levels": 2})
    methods: dict[str, PairFlow] = {
        "merstream, corrected": lambda first, second: estimate_flow(first[None], second[None], "corrected")[0],
        "merstream, two levels": lambda first, second: estimate_flow(first[None], second[None], two_levels)[0],
        "merstream, paper": lambda first, second: estimate_flow(first[None], second[None], "paper")[0],
        "DIS, medium": lambda first, second: medium.calc(first, second, None).transpose(2, 0, 1),
        "DIS, fine": lambda first, second: fine.calc(first, second, None).transpose(2, 0, 1),
        "Farneback": estimate_farneback_flow,
    }
    if hasattr(cv2, "optflow"):
        dual = cv2.optflow.DualTVL1OpticalFlow_create()
        methods["TV-L1"] = lambda first, second: dual.calc(first, second, None).transpose(2, 0, 1)
    return methods


def estimate_farneback_flow(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Farneback's flow with the parameters of OpenCV's own example, and five levels, so that 20 px are in reach."""
    return cv2.calcOpticalFlowFarneback(first, second, None, 0.5, 5, 15, 3, 5, 1.2, 0).transpose(2, 0, 1)


def compare_methods(
    methods: Mapping[str, PairFlow], seeds: Sequence[int], lengths: Sequence[float]
) -> list[dict[str, Any]]:
    """One row per method, motion and disturbance, with a list of figures over the lengths (px)."""
    cv2.setNumThreads(1)
    faces, rows = [MovingFace(seed) for seed in seeds], []
    warm_up = faces[0].draw_pair("shift", 1, "none")
    for method in methods.values():
        method(warm_up.first, warm_up.second)
    for motion, disturbance in itertools.product(MOTIONS, DISTURBANCES):
        pairs = [[face.draw_pair(motion, length, disturbance) for face in faces] for length in lengths]
        for name, method in methods.items():
            case = {"method": name, "motion": motion, "disturbance": disturbance, "lengths px": list(lengths)}
            rows.append({**case, **score_method(method, pairs)})
            print(format_row(rows[-1]), flush=True)
    return rows


def score_method(method: PairFlow, pairs: Sequence[Sequence[KnownPair]]) -> dict[str, Any]:
    """Figures per length, from the pairs of every length, one per seed; and the CPU seconds of a pair."""
    timed = time_call(lambda: [[method(pair.first, pair.second) for pair in same] for same in pairs])
    cells = [score_pairs(same, found) for same, found in zip(pairs, timed.result, strict=True)]
    figures = {name: [cell[name] for cell in cells] for name in cells[0]}
    return {"s CPU per pair": round(timed.cpu_seconds / sum(map(len, pairs)), 4), **figures}


def score_pairs(pairs: Sequence[KnownPair], found: Sequence[NDArray[np.float32]]) -> dict[str, float]:
    """Error, its spread, gain and correlation of the flows of pairs of one length."""
    out = np.stack([flow[pair.inner] for pair, flow in zip(pairs, found, strict=True)])
    true = np.stack([pair.true_flow[pair.inner] for pair in pairs])
    errors = np.hypot(*(out - true).swapaxes(0, 1)).mean((1, 2))
    products = float((out * true).sum())
    figures = {
        "error px": errors.mean(),
        "error spread px": np.ptp(errors),
        "gain": products / (true**2).sum(),
        "correlation": products / np.sqrt((true**2).sum() * (out**2).sum()),
    }
    return {name: round(float(figure), 3) for name, figure in figures.items()}


def format_row(row: dict[str, Any]) -> str:
    """A line for the terminal: error/gain/correlation per length."""
    cells = zip(row["error px"], row["gain"], row["correlation"], strict=True)
    text = " ".join(f"{error:.3f}/{gain:.2f}/{correlation:.2f}" for error, gain, correlation in cells)
    return f"{row['method']:21}{row['motion']:11}{row['disturbance']:8}{row['s CPU per pair']:.4f} {text}"
