"""Options against unequal classes, augmentation and numbers of epochs: leave-one-subject-out on one run.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/imbalance.py RUN [--model fmer-lite] [--seeds 3] [--jobs 2]

RUN is the folder of a `mer run`. Every option is one change to the defaults (or to the settings of --set), trained with
the same folds and the same seeds. Predictions are pooled over folds, then mean and standard deviation are taken over
seeds. Folds are kept in --folder, so that a second start continues. A difference of less than the standard deviation
has no meaning.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import argument_parser, describe_machine, result_file, write_result
from merstream.embedded.features import load_extracted_features
from services.trainer.data.features import Features
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.folds.cross_validation import FoldPool, run_folds
from services.trainer.folds.fold import FoldOutcome
from services.trainer.report.summary import pooled_figures
from services.trainer.sources.artifacts import load_plan_from_artifacts
from shared.device import choose_device
from shared.store import LocalStore
from shared.training.options import TrainingOptions, resolve_options
from shared.training.settings import TrainSettings

NO_CLASS_WEIGHTS = {"class_weights": "none"}
TRAINING_OPTIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "no weights": NO_CLASS_WEIGHTS,
    "inverse": {"class_weights": "inverse"},
    "effective number": {"class_weights": "effective-number"},
    "focal": {"loss": "focal"},
    "focal, no weights": {"loss": "focal", **NO_CLASS_WEIGHTS},
    "logit adjustment": {"logit_adjustment": 1.0, **NO_CLASS_WEIGHTS},
    "balanced draws": {"sampling": "balanced", **NO_CLASS_WEIGHTS},
    "AU positives plain": {"au_positives": "plain"},
    "not mirrored": {"mirror": False},
    "jitter": {"jitter": 0.5},
    "affine": {"rotate": 5.0, "scale": 0.05, "shift": 1.0},
    "jitter and affine": {"jitter": 0.5, "rotate": 5.0, "scale": 0.05, "shift": 1.0},
    "20 epochs": {"epochs": 20},
    "80 epochs": {"epochs": 80},
    "80 epochs, affine": {"epochs": 80, "rotate": 5.0, "scale": 0.05, "shift": 1.0},
}
COMPARED_FIGURES = ("uf1", "uar", "au_f1")


def measure_figures(
    evaluation: EvaluationPlan, settings: TrainSettings, seeds: int, folder: Path, jobs: int
) -> dict[str, list[float | None]]:
    """UF1, UAR and AU macro F1 by seed."""
    return score_seeds(evaluation.features, train_seeds(evaluation, settings, seeds, folder, jobs))


def train_seeds(
    evaluation: EvaluationPlan, settings: TrainSettings, seeds: int, folder: Path, jobs: int
) -> dict[int, list[FoldOutcome]]:
    """The folds of each seed."""
    pool = FoldPool(jobs, choose_device())
    return {
        seed: run_folds(evaluation.features, settings.model_copy(update={"seed": seed}), evaluation.folds, folder, pool)
        for seed in range(seeds)
    }


def score_seeds(features: Features, runs: Mapping[int, Sequence[FoldOutcome]]) -> dict[str, list[float | None]]:
    """UF1, UAR and AU macro F1 by seed."""
    figures = [pooled_figures(features, folds, seed) for seed, folds in runs.items()]
    return {name: [getattr(each, name) for each in figures] for name in COMPARED_FIGURES}


def format_mean_deviation(values: list[float | None]) -> str:
    """Mean and standard deviation, `0.905 ± 0.009`."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    spread = f" ± {statistics.stdev(known):.3f}" if len(known) > 1 else ""
    return f"{statistics.mean(known):.3f}{spread}"


def run_argument_parser(doc: str | None) -> argparse.ArgumentParser:
    """Arguments of a benchmark that trains on the features of a run."""
    parser = argument_parser(doc)
    parser.add_argument("run", type=Path)
    parser.add_argument(
        "--dataset", default="", help="description of the clips for the result, e.g. `mer synth` options"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="folder of the folds; default: a temporary folder")
    return parser


def read_run_plan(run: Path, options: TrainingOptions) -> EvaluationPlan:
    """Features and folds of the folder of a `mer run`."""
    return load_plan_from_artifacts(load_extracted_features([run]).features, LocalStore(run / "store"), options)


def parse_imbalance_arguments() -> argparse.Namespace:
    parser = run_argument_parser(__doc__)
    parser.add_argument("--model", default="fmer-lite")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=JSON", help="changes under every option: epochs=9"
    )
    parser.add_argument("--only", nargs="*", choices=list(TRAINING_OPTIONS), default=list(TRAINING_OPTIONS))
    parser.add_argument("--result", type=Path, help="default: benchmarks/results/imbalance-MODEL.json")
    return parser.parse_args()


def main() -> None:
    arguments = parse_imbalance_arguments()
    torch.set_num_threads(1)
    changes = {name: json.loads(value) for name, value in (each.split("=", 1) for each in arguments.set)}
    options = resolve_options("corrected", {**changes, "model": arguments.model, "oracle": False}, choose_device())
    evaluation = read_run_plan(arguments.run, options)
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="imbalance-"))
    file = arguments.result or result_file(f"imbalance-{arguments.model}")
    result: dict[str, Any] = {
        "dataset": arguments.dataset,
        "model": arguments.model,
        "features": {"digest": evaluation.features.digest, "clips": len(evaluation.features)},
        "folds": len(evaluation.folds),
        "seeds": arguments.seeds,
        "settings": options.settings.model_dump(mode="json"),
        "device": choose_device(),
        "machine": describe_machine("torch", "numpy"),
        "options": {},
    }
    print(f"{'option':20} {'UF1':16} {'UAR':16} AU F1")
    for name in arguments.only:
        settings = options.settings.model_copy(update=TRAINING_OPTIONS[name])
        found = measure_figures(evaluation, settings, arguments.seeds, folder, arguments.jobs)
        result["options"][name] = {"changes": TRAINING_OPTIONS[name], **found}
        print(
            f"{name:20} {format_mean_deviation(found['uf1']):16} {format_mean_deviation(found['uar']):16} "
            f"{format_mean_deviation(found['au_f1'])}",
            flush=True,
        )
        write_result(file, result)


if __name__ == "__main__":
    main()
