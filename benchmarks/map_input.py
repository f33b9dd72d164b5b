"""What the input step of learners on maps is worth: the head taken out or left, scaled by clip or by the training part.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/map_input.py    # writes benchmarks/results/map-input.json

Drawn maps (benchmarks/drawn_maps.py) of three classes in the shares of MEGC2019, in px and stretched to 0..255 as
published maps are. The heads move little, as after steadying (RMS 0.1 px), or more (0.5 px). Groups of maps take turns
as test part. Mean and standard deviation of UF1 over training seeds.
"""

import tempfile
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch

from benchmarks.common import argument_parser, describe_machine, result_file, write_result
from benchmarks.drawn_maps import Disturbance, draw_maps, stretch_maps
from services.trainer.data.features import Features
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.folds.cross_validation import run_folds
from services.trainer.report.summary import pooled_figures
from shared.training.model_settings import ModelSettings
from shared.training.settings import settings_from_profile

NOISE_PX = 0.3  # RMS of the flow's error; with less, all learners are near 1
SHARES = {"negative": 0.56, "positive": 0.25, "surprise": 0.19}
LEARNERS = ("pooled-linear", "linear-maps", "ststnet")
INPUTS = {
    f"head {head}, {scaling}": ModelSettings(map_head=head, map_scaling=scaling)
    for head in ("none", "robust")
    for scaling in ("training-rms", "per-clip")
}


def draw_features(maps: int, groups: int, head: float, stretched: bool, seed: int) -> Features:
    rng = np.random.default_rng(seed)
    labels = rng.choice(list(SHARES), maps, p=list(SHARES.values()))
    drawn = draw_maps(labels.tolist(), rng, Disturbance(head=head, noise=NOISE_PX))
    if stretched:
        drawn = stretch_maps(drawn) / np.array([127.5, 127.5, 255.0])[:, None, None] - [[[1]], [[1]], [[0]]]
    subjects = np.array([f"drawn/{number % groups:02}" for number in range(maps)])
    return Features(
        arrays={"maps": drawn[:, None].astype(np.float32)},
        factors=np.array([2.0]),
        emotions=np.array([list(SHARES).index(label) for label in labels], np.int64),
        aus=np.zeros((maps, 9), np.uint8),
        subjects=subjects,
        names=np.array([f"{subject}/{number:04}" for number, subject in enumerate(subjects)]),
        classes=tuple(SHARES),
    )


def measure_learner(features: Features, learner: str, network: ModelSettings, seeds: int) -> list[float]:
    """UF1 by seed; a linear learner has one."""
    found, plan = [], EvaluationPlan(features)
    for seed in range(1 if "linear" in learner else seeds):
        settings = settings_from_profile(model=learner, seed=seed, oracle=False).model_copy(update={"network": network})
        with tempfile.TemporaryDirectory() as folder:
            outcomes = run_folds(features, settings, plan.folds, Path(folder))
        found.append(pooled_figures(features, outcomes, seed).uf1)
    return found


def main() -> None:
    parser = argument_parser(__doc__, result_file("map-input"))
    parser.add_argument("--maps", type=int, default=320)
    parser.add_argument("--groups", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--heads", type=float, nargs="*", default=[0.1, 0.5], help="RMS of heads, px")
    parser.add_argument("--seed", type=int, default=51, help="of the drawn maps")
    given = parser.parse_args()
    torch.set_num_threads(1)
    sizes = {name: getattr(given, name) for name in ("maps", "groups", "seeds", "seed")}
    result: dict[str, Any] = {"benchmark": "map_input", **sizes}
    result["machine"] = describe_machine("torch", "numpy", "scikit-learn")
    for stretched in (False, True):
        for head in given.heads:
            features = draw_features(given.maps, given.groups, head, stretched, given.seed)
            title = f"{'0..255' if stretched else 'px'}, head {head} px"
            result[title] = {}
            for name, network in INPUTS.items():
                values = {learner: measure_learner(features, learner, network, given.seeds) for learner in LEARNERS}
                result[title][name] = values
                cells = [f"{fmean(v):.3f}" + (f" ± {stdev(v):.3f}" if len(v) > 1 else "") for v in values.values()]
                print(title, name, *cells, sep=" | ", flush=True)
                write_result(given.out, result)


if __name__ == "__main__":
    main()
