"""The effect of each part, and the field's baselines: leave-one-subject-out on the features of a run.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/ablation.py RUN [--seeds 3] [--jobs 2] [--also NAME=RUN ...]

RUN is the folder of a `mer run`. With factor 0 among its magnifier.factors, there are rows "not magnified". --also
trains fmer-lite on the features of another run of the same dataset, e.g. one of `--profile paper`, with the defaults
and with the paper's switches. Every row has the same folds and seeds. Predictions are pooled over folds, then mean and
standard deviation are taken over seeds. Folds are kept in --folder, so that a second start continues. Rows of an
earlier result for the same clips stay in it.

Baselines get what fmer-lite gets: magnified motion, mirror images, maps without the head's motion. `as published` has
their authors' training instead. The result also has each row less the best baseline: difference, 95 % interval and p
of a paired bootstrap over subjects, seeds averaged. The best one is chosen by the same clips, which favours baselines.
With --only, add the best baseline: the differences of new rows need its predictions. --reference names a row to compare
with instead, for example the best one of other clips.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch

from benchmarks.common import describe_machine, result_file, write_result
from benchmarks.imbalance import (
    format_mean_deviation,
    read_run_plan,
    run_argument_parser,
    score_seeds,
    train_seeds,
)
from services.trainer.data.arrays import ARRAY_SPECS
from services.trainer.data.features import Features
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.folds.fold import FoldOutcome
from services.trainer.report.html_page import format_difference
from services.trainer.report.model import PairedDifference
from services.trainer.report.paired_differences import compare_learners
from shared.device import choose_device
from shared.training.model_settings import MODEL_PROFILES, ModelSettings
from shared.training.options import resolve_options
from shared.training.settings import PAPER_SETTINGS as PAPER_TRAINING
from shared.training.settings import TrainSettings

MAP_MODELS = ("htnet", "rcn-a", "sssnet", "off-apexnet", "ststnet")
LINEAR_MODELS = ("pooled-linear", "linear-maps", "linear")
PUBLISHED_TRAINING = ("rcn-a", "sssnet", "off-apexnet", "ststnet")  # htnet's 800 epochs take a CPU day
NETWORK_VARIANTS = {
    "without AU branch": ModelSettings(au_branch=False),
    "without graph": ModelSettings(graph=False),
    "without the whole face's motion": ModelSettings(whole_face=False),
    "head taken out of the ROIs by least squares": ModelSettings(roi_head="least-squares"),
    "head left in the maps": ModelSettings(map_head="none"),
    "maps scaled by clip": ModelSettings(map_scaling="per-clip"),
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

TrainedRow = tuple[Features, Mapping[int, Sequence[FoldOutcome]]]
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
    for model in PUBLISHED_TRAINING:
        published = resolve_options("paper", {"model": model, "oracle": False}, choose_device()).settings
        yield f"{model}, as published", magnified, published.model_copy(update={"network": ModelSettings()})
    if "flow_maps" in features.array_names:
        yield "ststnet-flows", magnified, model_settings("ststnet-flows")
    for model in (*MAP_MODELS, *LINEAR_MODELS, "majority"):
        yield model, magnified, model_settings(model)


def is_baseline(row: str) -> bool:
    """Whether a row is another model than fmer-lite, on the same magnified features."""
    return row in (*MAP_MODELS, *LINEAR_MODELS, "ststnet-flows") or row.endswith(", as published")


def compare_with_baseline(
    trained: dict[str, TrainedRow], rows: dict[str, Any], earlier: dict[str, Any], reference: str | None = None
) -> dict[str, Any]:
    """Every row less `reference`, or less the baseline with the best mean UF1. Empty without a baseline.

    A row that was not trained in this start keeps its difference of the earlier one, if that had the same baseline with
    the same figures.
    """
    baselines = [name for name in rows if (name == reference if reference else is_baseline(name))]
    if not baselines:
        return {}
    best = max(baselines, key=lambda name: fmean(rows[name]["uf1"]))
    same = earlier.get("baseline") == best and earlier["rows"][best] == rows[best]
    less = {name: old for name, old in earlier["less the baseline"].items() if name not in trained} if same else {}
    if best in trained:
        features, runs = trained[best]
        others = {name: own for name, (_, own) in trained.items() if name != best}
        less |= {name: compare_learners(features, own, runs).model_dump() for name, own in others.items()}
    return {"baseline": best, "less the baseline": {name: less[name] for name in rows if name in less}}


def format_comparison(found: dict[str, Any] | None) -> str:
    """`+0.012 [-0.004, 0.031], p 0.140` of UF1."""
    return "–" if found is None else format_difference(PairedDifference.model_validate(found["uf1"]))


def model_settings(model: str) -> TrainSettings:
    """Settings of `mer train --model`, without the test after every epoch that the oracle figure needs."""
    return resolve_options("corrected", {"model": model, "oracle": False}, choose_device()).settings


def parse_ablation_arguments() -> argparse.Namespace:
    parser = run_argument_parser(__doc__)
    parser.add_argument("--also", metavar="NAME=RUN", action="append", default=[])
    parser.add_argument("--only", metavar="NAME", action="append", help="these rows alone; repeatable")
    parser.add_argument("--reference", metavar="NAME", help="the row to compare with; default: the best baseline")
    parser.add_argument("--out", type=Path, default=result_file("ablation", by_device=True))
    return parser.parse_args()


def describe_features(features: Features) -> dict[str, Any]:
    subjects = len(set(features.subjects.tolist()))
    return {"clips": len(features), "subjects": subjects, "factors": features.factors.tolist()}


def read_earlier_result(result: Path, header: dict[str, Any]) -> dict[str, Any]:
    """The result of an earlier start with the same clips and seeds; empty without one."""
    old: dict[str, Any] = json.loads(result.read_text()) if result.exists() else {}
    return old if all(old.get(name) == value for name, value in header.items()) else {}


def main() -> None:
    given = parse_ablation_arguments()
    torch.set_num_threads(1)
    features, folder = read_run_features(given.run), given.folder or Path(tempfile.mkdtemp())
    header = {"dataset": given.dataset, **describe_features(features), "seeds": given.seeds}
    earlier = read_earlier_result(given.out, header)
    found = dict(earlier.get("rows", {}))
    also = {name: Path(run) for name, run in (one.split("=", 1) for one in given.also)}
    trained: dict[str, TrainedRow] = {}
    compared: dict[str, Any] = {}
    for name, selected, settings in ablation_rows(features, also):
        if given.only and name not in given.only:
            continue
        trained[name] = selected, train_seeds(EvaluationPlan(selected), settings, given.seeds, folder, given.jobs)
        found[name] = score_seeds(*trained[name])
        print(name, *(format_mean_deviation(values) for values in found[name].values()), sep="  ", flush=True)
        compared = compare_with_baseline(trained, found, earlier, given.reference)
        machine = describe_machine("torch", "numpy", "scikit-learn")
        write_result(given.out, {**header, "rows": found, **compared, **machine})
    print_table(found, compared)


def print_table(rows: dict[str, Any], compared: dict[str, Any]) -> None:
    """The rows in Markdown, for README and docs/explanation/results.md."""
    best = compared.get("baseline", "")
    print(f"\n| | UF1 | UAR | AU macro F1 | UF1 less that of `{best}` |\n| --- | --- | --- | --- | --- |")
    for name, figures in rows.items():
        cells = [format_mean_deviation(values) for values in figures.values()]
        difference = format_comparison(compared.get("less the baseline", {}).get(name))
        print(f"| {' | '.join([name, *cells, difference])} |")


if __name__ == "__main__":
    main()
