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

from benchmarks.imbalance import measured, told
from benchmarks.machine import machine
from merstream.embedded.features import extracted
from services.trainer.data.features import Features
from services.trainer.evaluation.plan import Evaluation
from services.trainer.models.settings import PROFILES, ModelSettings
from services.trainer.options import chosen
from services.trainer.settings import PAPER as PAPER_TRAINING
from services.trainer.settings import TrainSettings
from services.trainer.sources.artifacts import gather
from shared.device import device
from shared.store import LocalStore

RESULTS = Path(__file__).parent / "results"
ON_MAPS = ("htnet", "rcn-a", "sssnet", "off-apexnet", "ststnet")
NETWORKS = {
    "without AU branch": ModelSettings(au_branch=False),
    "without graph": ModelSettings(graph=False),
    "without the whole face's motion": ModelSettings(whole_face=False),
    "emotion trains the AU branch too": ModelSettings(emotion_to_au="full"),
    "all of the paper's network switches": PROFILES["paper"],
}
TRAINING = {
    "AU labels all zero (published code)": {"au_labels": "zero"},
    "nine factors in a clip (paper)": {"factors": "per-flow"},
    "not mirrored": {"mirror": False, "mirror_at_test": False},
}
# What the paper's profile has otherwise, but for rate, schedule and epochs, which belong to a network's size.
PAPER = PAPER_TRAINING.model_dump(
    include={"factors", "mirror", "mirror_at_test", "au_labels", "au_positives", "class_weights", "keep"}
)

Row = tuple[str, Features, TrainSettings]


def read(run: Path) -> Features:
    return gather(extracted([run]).features, LocalStore(run / "store"), chosen("corrected", {}, device())).features


def at(features: Features, factors: list[float]) -> Features:
    """The same clips at some of the factors alone."""
    places = [features.factors.tolist().index(factor) for factor in factors]
    maps = None if features.maps is None else np.ascontiguousarray(features.maps[:, places])
    patches = None if features.patches is None else np.ascontiguousarray(features.patches[:, places])
    return replace(features, patches=patches, maps=maps, factors=features.factors[places])


def without_zero(features: Features) -> Features:
    return at(features, [factor for factor in features.factors.tolist() if factor > 0])


def rows(features: Features, also: dict[str, Path]) -> Iterator[Row]:
    lite, all_ = settings("fmer-lite"), features.factors.tolist()
    magnified = without_zero(features)
    yield "fmer-lite", magnified, lite
    for name, network in NETWORKS.items():
        yield name, magnified, lite.model_copy(update={"network": network})
    for name, changes in TRAINING.items():
        yield name, magnified, lite.model_copy(update=changes)
    paper = lite.model_copy(update={**PAPER, "network": PROFILES["paper"]})
    yield "all of the paper's switches of network and training", magnified, paper
    if 2.0 in all_:
        yield "factor 2 alone", at(features, [2.0]), lite
    if 0.0 in all_:
        plain = at(features, [0.0])
        yield "not magnified", plain, lite
        for model in ON_MAPS:
            yield f"{model}, not magnified", plain, settings(model)
    for name, run in also.items():
        features = without_zero(read(run))
        yield name, features, lite
        yield f"{name}, all of the paper's switches of network and training", features, paper
    for model in (*ON_MAPS, "linear", "majority"):
        yield model, magnified, settings(model)


def settings(model: str) -> TrainSettings:
    """As `mer train --model` has them; epochs are not tested one by one, which the oracle figure would want."""
    return chosen("corrected", {"model": model, "oracle": False}, device()).settings


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--dataset", default="", help="what the clips are, for the result, e.g. the `mer synth` words")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--also", metavar="NAME=RUN", action="append", default=[])
    parser.add_argument("--only", metavar="NAME", action="append", help="these rows alone; repeatable")
    parser.add_argument("--folder", type=Path, help="where folds are kept; default: a temporary folder")
    parser.add_argument("--out", type=Path, default=RESULTS / f"ablation-{device()}.json")
    return parser.parse_args(words)


def counted(features: Features) -> dict[str, Any]:
    subjects = len(set(features.subjects.tolist()))
    return {"clips": len(features), "subjects": subjects, "factors": features.factors.tolist()}


def kept(result: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Rows of an earlier start with the same clips and seeds."""
    old = json.loads(result.read_text()) if result.exists() else {}
    same = all(old.get(name) == value for name, value in about.items())
    return dict(old["rows"]) if same else {}


def main() -> None:
    asked = arguments()
    torch.set_num_threads(1)
    features, folder = read(asked.run), asked.folder or Path(tempfile.mkdtemp())
    about = {"dataset": asked.dataset, **counted(features), "seeds": asked.seeds}
    found = kept(asked.out, about)
    print("| | UF1 | UAR | AU macro F1 |\n| --- | --- | --- | --- |")
    for name, held, each in rows(
        features, {name: Path(run) for name, run in (one.split("=", 1) for one in asked.also)}
    ):
        if asked.only and name not in asked.only:
            continue
        found[name] = measured(Evaluation(held), each, asked.seeds, folder, asked.jobs)
        print(f"| {name} | {' | '.join(told(values) for values in found[name].values())} |", flush=True)
        versions = machine("torch", "numpy", "scikit-learn")
        asked.out.write_text(json.dumps({**about, "rows": found} | versions, indent=2) + "\n")


if __name__ == "__main__":
    main()
