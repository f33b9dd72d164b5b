"""What each part is worth, and the field's baselines beside it: leave-one-subject-out on the features of a run.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/ablation.py RUN [--seeds 3] [--jobs 2] [--also NAME=RUN ...]

RUN is the folder of a `mer run`; with factor 0 among its magnifier.factors, there are rows "not magnified". --also
trains fmer-lite on the features of another run of the same dataset, e.g. one of `--profile paper`: with its defaults,
and as the paper does it. Every row has the same folds and seeds; predictions pooled over folds, then mean and standard
deviation over seeds. Folds are kept in --folder, so that a second start goes on; rows that the result already has for
the same clips stay in it. A difference of less than the standard deviation says nothing.
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

from benchmarks.imbalance import format_mean_deviation, measure_figures
from benchmarks.machine import describe_machine
from merstream.embedded.features import load_extracted_features
from services.trainer.data.arrays import ARRAY_SPECS
from services.trainer.data.features import Features
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.models.settings import MODEL_PROFILES, ModelSettings
from services.trainer.options import resolve_options
from services.trainer.settings import PAPER_SETTINGS as PAPER_TRAINING
from services.trainer.settings import TrainSettings
from services.trainer.sources.artifacts import load_plan_from_artifacts
from shared.device import choose_device
from shared.store import LocalStore

RESULTS = Path(__file__).parent / "results"
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
# What the paper's profile has otherwise, but for rate, schedule and epochs, which belong to a network's size.
PAPER_CHANGES = PAPER_TRAINING.model_dump(
    include={"factors", "mirror", "mirror_at_test", "au_labels", "au_positives", "class_weights", "keep"}
)

AblationRow = tuple[str, Features, TrainSettings]


def read_run_features(run: Path) -> Features:
    return load_plan_from_artifacts(
        load_extracted_features([run]).features,
        LocalStore(run / "store"),
        resolve_options("corrected", {}, choose_device()),
    ).features


def select_factors(features: Features, factors: list[float]) -> Features:
    """The same clips at some of the factors alone."""
    places = [features.factors.tolist().index(factor) for factor in factors]
    arrays = {
        name: np.ascontiguousarray(array[:, places]) if ARRAY_SPECS[name].by_factor else array
        for name, array in features.arrays.items()
    }
    return replace(features, arrays=arrays, factors=features.factors[places])


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
    """As `mer train --model` has them; epochs are not tested one by one, which the oracle figure would want."""
    return resolve_options("corrected", {"model": model, "oracle": False}, choose_device()).settings


def parse_ablation_arguments(command_line: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--dataset", default="", help="what the clips are, for the result, e.g. the `mer synth` words")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--also", metavar="NAME=RUN", action="append", default=[])
    parser.add_argument("--only", metavar="NAME", action="append", help="these rows alone; repeatable")
    parser.add_argument("--folder", type=Path, help="where folds are kept; default: a temporary folder")
    parser.add_argument("--out", type=Path, default=RESULTS / f"ablation-{choose_device()}.json")
    return parser.parse_args(command_line)


def describe_features(features: Features) -> dict[str, Any]:
    subjects = len(set(features.subjects.tolist()))
    return {"clips": len(features), "subjects": subjects, "factors": features.factors.tolist()}


def earlier_rows(result: Path, header: dict[str, Any]) -> dict[str, Any]:
    """Rows of an earlier start with the same clips and seeds."""
    old = json.loads(result.read_text()) if result.exists() else {}
    same = all(old.get(name) == value for name, value in header.items())
    return dict(old["rows"]) if same else {}


def main() -> None:
    asked = parse_ablation_arguments()
    torch.set_num_threads(1)
    features, folder = read_run_features(asked.run), asked.folder or Path(tempfile.mkdtemp())
    about = {"dataset": asked.dataset, **describe_features(features), "seeds": asked.seeds}
    found = earlier_rows(asked.out, about)
    print("| | UF1 | UAR | AU macro F1 |\n| --- | --- | --- | --- |")
    for name, held, each in ablation_rows(
        features, {name: Path(run) for name, run in (one.split("=", 1) for one in asked.also)}
    ):
        if asked.only and name not in asked.only:
            continue
        found[name] = measure_figures(EvaluationPlan(held), each, asked.seeds, folder, asked.jobs)
        print(
            f"| {name} | {' | '.join(format_mean_deviation(values) for values in found[name].values())} |", flush=True
        )
        versions = describe_machine("torch", "numpy", "scikit-learn")
        asked.out.write_text(json.dumps({**about, "rows": found} | versions, indent=2) + "\n")


if __name__ == "__main__":
    main()
