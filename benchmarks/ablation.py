"""The effect of each part, and the field's baselines: leave-one-subject-out on the features of a run.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/ablation.py RUN [--seeds 3] [--jobs 2] [--also NAME=RUN ...]

RUN is the folder of a `mer run`. With factor 0 among its magnifier.factors, there are rows "not magnified". --also
trains fmer-lite on the features of another run of the same dataset, e.g. one of `--profile paper`, with the defaults
and with the paper's switches. Every row has the same folds and seeds. Predictions are pooled over folds, then mean and
standard deviation are taken over seeds. Folds are kept in --folder, so that a second start continues. Rows of an
earlier result for the same clips stay in it. A difference of less than the standard deviation has no meaning.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import describe_machine, result_file, write_result
from benchmarks.imbalance import format_mean_deviation, measure_figures, read_run_plan, run_argument_parser
from services.trainer.data.arrays import ARRAY_SPECS
from services.trainer.data.features import Features
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.models.settings import MODEL_PROFILES, ModelSettings
from services.trainer.options import resolve_options
from services.trainer.settings import PAPER_SETTINGS as PAPER_TRAINING
from services.trainer.settings import TrainSettings
from shared.device import choose_device

MAP_MODELS = ("htnet", "rcn-a", "sssnet", "off-apexnet", "ststnet")
NETWORK_VARIANTS = {
    "without AU branch": ModelSettings(au_branch=False),
    "without graph": ModelSettings(graph=False),
    "without the whole face's motion": ModelSettings(whole_face=False),
    "emotion trains the AU branch too": ModelSettings(emotion_to_au="full"),
    "all of the paper's network switches": MODEL_PROFILES["paper"],
}
TRAINING_VARIANTS = {
    "AU labels all zero (published code)": {"au_labels": "zero"},
    "nine factors in a clip (paper)": {"factors": "per-flow"},
    "not mirrored": {"mirror": False, "mirror_at_test": False},
}
# The differences of the paper's profile, except rate, schedule and epochs, which depend on a network's size.
PAPER_CHANGES = PAPER_TRAINING.model_dump(
    include={"factors", "mirror", "mirror_at_test", "au_labels", "au_positives", "class_weights", "keep"}
)

AblationRow = tuple[str, Features, TrainSettings]


def read_run_features(run: Path) -> Features:
    return read_run_plan(run, resolve_options("corrected", {}, choose_device())).features


def select_factors(features: Features, factors: list[float]) -> Features:
    """The same clips with some of the factors."""
    indices = [features.factors.tolist().index(factor) for factor in factors]
    arrays = {
        name: np.ascontiguousarray(array[:, indices]) if ARRAY_SPECS[name].by_factor else array
        for name, array in features.arrays.items()
    }
    return replace(features, arrays=arrays, factors=features.factors[indices])


def without_factor_zero(features: Features) -> Features:
    return select_factors(features, [factor for factor in features.factors.tolist() if factor > 0])


def ablation_rows(features: Features, also: dict[str, Path]) -> Iterator[AblationRow]:
    lite, all_ = model_settings("fmer-lite"), features.factors.tolist()
    magnified = without_factor_zero(features)
    yield "fmer-lite", magnified, lite
    for name, network in NETWORK_VARIANTS.items():
        yield name, magnified, lite.model_copy(update={"network": network})
    for name, changes in TRAINING_VARIANTS.items():
        yield name, magnified, lite.model_copy(update=changes)
    paper = lite.model_copy(update={**PAPER_CHANGES, "network": MODEL_PROFILES["paper"]})
    yield "all of the paper's switches of network and training", magnified, paper
    if 2.0 in all_:
        yield "factor 2 alone", select_factors(features, [2.0]), lite
    if 0.0 in all_:
        plain = select_factors(features, [0.0])
        yield "not magnified", plain, lite
        for model in MAP_MODELS:
            yield f"{model}, not magnified", plain, model_settings(model)
    for name, run in also.items():
        features = without_factor_zero(read_run_features(run))
        yield name, features, lite
        yield f"{name}, all of the paper's switches of network and training", features, paper
    for model in (*MAP_MODELS, "linear", "majority"):
        yield model, magnified, model_settings(model)


def model_settings(model: str) -> TrainSettings:
    """Settings of `mer train --model`, without the test after every epoch that the oracle figure needs."""
    return resolve_options("corrected", {"model": model, "oracle": False}, choose_device()).settings


def parse_ablation_arguments() -> argparse.Namespace:
    parser = run_argument_parser(__doc__)
    parser.add_argument("--also", metavar="NAME=RUN", action="append", default=[])
    parser.add_argument("--only", metavar="NAME", action="append", help="these rows alone; repeatable")
    parser.add_argument("--out", type=Path, default=result_file("ablation", by_device=True))
    return parser.parse_args()


def describe_features(features: Features) -> dict[str, Any]:
    subjects = len(set(features.subjects.tolist()))
    return {"clips": len(features), "subjects": subjects, "factors": features.factors.tolist()}


def earlier_rows(result: Path, header: dict[str, Any]) -> dict[str, Any]:
    """Rows of an earlier start with the same clips and seeds."""
    old = json.loads(result.read_text()) if result.exists() else {}
    same = all(old.get(name) == value for name, value in header.items())
    return dict(old["rows"]) if same else {}


def main() -> None:
    given = parse_ablation_arguments()
    torch.set_num_threads(1)
    features, folder = read_run_features(given.run), given.folder or Path(tempfile.mkdtemp())
    header = {"dataset": given.dataset, **describe_features(features), "seeds": given.seeds}
    found = earlier_rows(given.out, header)
    also = {name: Path(run) for name, run in (one.split("=", 1) for one in given.also)}
    print("| | UF1 | UAR | AU macro F1 |\n| --- | --- | --- | --- |")
    for name, selected, settings in ablation_rows(features, also):
        if given.only and name not in given.only:
            continue
        found[name] = measure_figures(EvaluationPlan(selected), settings, given.seeds, folder, given.jobs)
        print(
            f"| {name} | {' | '.join(format_mean_deviation(values) for values in found[name].values())} |", flush=True
        )
        write_result(given.out, {**header, "rows": found} | describe_machine("torch", "numpy", "scikit-learn"))


if __name__ == "__main__":
    main()
