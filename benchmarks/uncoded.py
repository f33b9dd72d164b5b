"""Clips that were not coded for action units: masked, against counted as clips without units. AU macro F1.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/uncoded.py RUN [--persons 3] [--seeds 3] [--first-seed 0]

RUN is the folder of a `mer run` on fully coded clips. For each seed of the training, the coding of as many persons is
taken away; the seed draws the persons. Three trainings follow, leave one subject out. "all coded" keeps the coding.
"counted as none" trains on zeros for these persons, as merstream did before it had the mask. "masked" is as it is now.
All three are scored on the same clips, those of the other persons. "counted as none, pooled" scores the second on all
clips. "perfect, pooled" is a detector without an error, scored so: zeros are then the truth of clips that nobody coded.
`--paper-units` scores the paper's nine units in place of those of the run.
"""

import argparse
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import describe_machine, result_file, write_result
from benchmarks.imbalance import format_mean_deviation, read_run_plan, run_argument_parser
from services.trainer.data.features import Features
from services.trainer.evaluation.metrics import score_action_units
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.folds.cross_validation import FoldPool, run_folds
from services.trainer.report.summary import pooled_figures
from shared.training.annotations import PAPER_UNITS
from shared.training.options import resolve_options
from shared.training.settings import TrainSettings

RESULT = result_file("uncoded")


def draw_uncoded(features: Features, persons: int, seed: int) -> np.ndarray:
    """[N] bool: the clips of so many drawn persons."""
    drawn = np.random.default_rng(seed).choice(np.unique(features.subjects), persons, replace=False)
    return np.isin(features.subjects, drawn)


def measure_seed(
    plan: EvaluationPlan, settings: TrainSettings, persons: int, folder: Path, jobs: int
) -> dict[str, float | None]:
    """AU macro F1 by variant, and UF1 of the three trainings, for the seed of the settings."""
    full = plan.features
    uncoded = draw_uncoded(full, persons, settings.seed)
    zeros = np.where(uncoded[:, None], 0, full.aus).astype(np.uint8)
    variants = {
        "all coded": full,
        "counted as none": replace(full, aus=zeros),
        "masked": replace(full, aus=zeros, au_coded=~uncoded),
    }
    scored = variants["masked"]  # its mask and its targets: the clips of the persons with coding
    found: dict[str, float | None] = {}
    for name, features in variants.items():
        outcomes = run_folds(features, settings, plan.folds, folder, FoldPool(jobs))
        figures = pooled_figures(scored, outcomes, settings.seed)
        found |= {name: figures.au_f1, f"UF1, {name}": figures.uf1}
        if name == "counted as none":
            found[f"{name}, pooled"] = pooled_figures(features, outcomes, settings.seed).au_f1
    targets = full.au_targets(full.units)
    pooled = np.where(uncoded[:, None], 0, targets)
    found["perfect, pooled"] = score_action_units(pooled, targets, full.units)["macro"]
    found["perfect, masked"] = score_action_units(targets[~uncoded], targets[~uncoded], full.units)["macro"]
    return found


def parse_uncoded_arguments() -> argparse.Namespace:
    parser = run_argument_parser(__doc__)
    parser.add_argument("--persons", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--paper-units", action="store_true")
    parser.add_argument("--result", type=Path, default=RESULT)
    return parser.parse_args()


def main() -> None:
    arguments = parse_uncoded_arguments()
    torch.set_num_threads(1)
    options = resolve_options("corrected", {"model": "fmer-lite", "oracle": False}, "cpu")
    plan = read_run_plan(arguments.run, options)
    if arguments.paper_units:
        plan = replace(plan, features=replace(plan.features, units=PAPER_UNITS))
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="uncoded-"))
    rows: list[dict[str, float | None]] = []
    result: dict[str, Any] = {
        "dataset": arguments.dataset,
        "clips": len(plan.features),
        "persons without coding": arguments.persons,
        "units": list(plan.features.units),
        "seeds": list(range(arguments.first_seed, arguments.first_seed + arguments.seeds)),
        "machine": describe_machine("torch", "numpy"),
        "by seed": rows,
    }
    for seed in result["seeds"]:
        settings = options.settings.model_copy(update={"seed": seed})
        rows.append(measure_seed(plan, settings, arguments.persons, folder, arguments.jobs))
        print(seed, {name: value and round(value, 3) for name, value in rows[-1].items()}, flush=True)
        result["mean"] = {name: statistics.fmean(row[name] or 0 for row in rows) for name in rows[0]}
        write_result(arguments.result, result)
    for name in rows[0]:
        print(f"{name:28} {format_mean_deviation([row[name] for row in rows])}")


if __name__ == "__main__":
    main()
