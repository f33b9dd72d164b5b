"""What is stored and what names it, as recorded: a change that should change no result changes none of these.

Recorded with `python -m tests.conformance.test_recorded_digests`, which rewrites `tests/data/digests.json`. Record anew
only with a raised version of the stage or of the folds, or with a setting more or less, and say so in the commit.
"""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from merstream import synth
from merstream.stages import STAGES
from services.ingest.catalogue.entry import FoundClip
from services.ingest.discover import discover_clips
from services.ingest.source_records import store_record
from services.trainer.data.features import Features
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.experiment import run_experiment
from services.trainer.folds.fold import fold_key
from shared.dataset_progress import measure_progress
from shared.feature_index import index_features
from shared.records import ActionUnit, Artifact, Dataset, Pipeline, Record, Sample, artifact_key
from shared.store import LocalStore
from shared.store.npz import unpack_arrays
from shared.telemetry import Metrics
from shared.training.definition import compose_run
from shared.training.options import resolve_options
from shared.training.protocol import LOSO_PROTOCOL, ProtocolSettings, protocol_folds
from shared.training.settings import TrainSettings, settings_from_profile
from shared.worker.stage_handler import pipeline_settings, process_record, recipe_digest

FILE = Path(__file__).parents[1] / "data" / "digests.json"
PIPELINES = {
    "corrected": Pipeline(),
    "paper": Pipeline(profile="paper"),
    "small": Pipeline(
        overrides={"ingest": {"height": 112, "width": 96}, "magnifier": {"factors": [2.0]}},
    ),
    # A blend saves the time of RIFE, whose frames tests/conformance/test_rife.py compares.
    "paper, two factors": Pipeline(
        profile="paper",
        overrides={"magnifier": {"factors": [1.2, 2.0]}, "interpolator": {"blend_below": 0.75}},
    ),
}
COMPUTED = ("small", "paper, two factors")  # pipelines whose artifacts are recorded
MODELS = ("fmer", "fmer-lite", "htnet", "ststnet", "linear", "majority")


def stage_recipes() -> dict[str, dict[str, str]]:
    """Recipe of every stage by pipeline, from inputs of known content."""
    inputs = {
        name: Artifact(key=f"{name}/a/b/c/d.npz", sha256=hashlib.sha256(name.encode()).hexdigest(), size=1)
        for stage in STAGES
        for name in ("source", *stage.reads, stage.name)
    }
    return {
        name: {stage.name: recipe_digest(stage, pipeline_settings(stage, pipeline), inputs) for stage in STAGES}
        for name, pipeline in PIPELINES.items()
    }


def pipeline_digests() -> dict[str, str]:
    return {name: pipeline.digest for name, pipeline in PIPELINES.items()}


def toy_records(dataset: str) -> list[Record]:
    """Features of four clips of two subjects, of artifacts that need not exist."""
    records = []
    for number, emotion in enumerate(("disgust", "happiness", "happiness", "disgust")):
        sample = Sample(
            dataset=dataset,
            subject=f"s{number // 2}",
            clip=f"c {number}",
            emotion=emotion,
            aus=(ActionUnit(number=4 + number),),
            onset=1,
            apex=5,
            offset=9,
            fps=200,
        )
        artifacts = {
            name: Artifact(key=artifact_key(name, sample, "0" * 32), sha256=f"{number}" * 64, size=1)
            for name in ("source", "roi-au")
        }
        about = {"recipe": "0" * 32, "trace": "t", "pipeline": Pipeline(), "inputs": {"source": artifacts["source"]}}
        records.append(Record(sample=sample, stage="roi-au", artifact=artifacts["roi-au"], **about))
    return records


def run_ids() -> dict[str, str]:
    """Id of a run by what is asked for."""
    asked: dict[str, dict[str, Any]] = {
        "default": {},
        "linear of two classes": {"model": "linear", "classes": "disgust,happiness", "seeds": 3},
        "k-fold": {"model": "fmer-lite", "protocol": "k-fold", "folds": 2, "seed": 7, "epochs": 3},
        "paper": {"profile": "paper", "model": "fmer"},
    }
    names = ("casme2", "samm")
    dropped = []
    for name in names:
        records = toy_records(name)
        clips = {each.sample.identity: each.version for each in records}
        dataset = Dataset(name=name, clips=clips, faults=(f"{name}/s9/c: no face.",), complete=True)
        dropped.append((dataset, measure_progress(dataset, index_features(records), {})))
    return {
        title: compose_run(dropped, resolve_options("corrected", options, "cpu"))[0].id
        for title, options in asked.items()
    }


def toy_features() -> Features:
    """Twelve clips of four subjects: random maps and patches, as roi-au's but for the AU clip."""
    rng = np.random.default_rng(0)
    subjects = np.array([f"toy/s{number // 3}" for number in range(12)])
    return Features(
        arrays={
            "patches": rng.normal(size=(12, 2, 9, 2, 30, 7, 7)).astype(np.float32),
            "maps": rng.normal(size=(12, 2, 3, 28, 28)).astype(np.float32),
        },
        factors=np.array([1.2, 2.0]),
        emotions=np.arange(12) % 3,
        aus=rng.integers(0, 2, (12, 9)).astype(np.uint8),
        au_coded=np.ones(12, bool),
        subjects=subjects,
        names=np.array([f"{subject}/c{number:02}" for number, subject in enumerate(subjects)]),
        classes=("disgust", "happiness", "surprise"),
    )


def fold_keys() -> dict[str, str]:
    """Key of the first fold by profile, model and protocol."""
    features = toy_features()
    found = {}
    for protocol in (LOSO_PROTOCOL, ProtocolSettings(name="k-fold", folds=2)):
        (fold, *_) = protocol_folds(protocol, features.subjects, features.emotions)
        for profile in ("corrected", "paper"):
            for model in MODELS:
                settings = settings_from_profile(profile, model)
                found[f"{profile} {model} {protocol.name}"] = fold_key(features.digest, settings, fold)
    return found


def report_files(folder: Path) -> dict[str, str]:
    """sha256 of each file of a report; of a learner that only counts, so they depend on no processor."""
    run_experiment(EvaluationPlan(toy_features(), seeds=2), TrainSettings(model="majority"), folder, baselines=())
    files = [file for file in folder.iterdir() if file.is_file()]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)}


def stage_artifacts(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Of drawn clips, by pipeline, identity and stage: sha256 of what is stored, and `described` of its arrays."""
    dataset, store = folder / "drawn", LocalStore(folder / "store")
    synth.write_dataset(dataset, subjects=1, clips=2, seed=3, difficulty=synth.Difficulty(skin="patches"))
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name in COMPUTED:
        found[name] = {}
        for clip in discover_clips(dataset):
            assert isinstance(clip, FoundClip)
            record = store_record(clip, PIPELINES[name], "t", store)
            stages: dict[str, Any] = {"source": {"sha256": record.artifact.sha256}}
            for stage in STAGES:
                record, _ = process_record(stage, store, record, Metrics())
                arrays = unpack_arrays(store.get(record.artifact.key), stage.name)
                stages[stage.name] = {
                    "sha256": record.artifact.sha256,
                    "arrays": {name: described(array) for name, array in sorted(arrays.items())},
                }
            found[name][record.sample.identity] = stages
    torch.set_num_threads(threads[0])
    cv2.setNumThreads(threads[1])
    return found


def described(array: np.ndarray[Any, Any]) -> list[Any]:
    """Shape, type, mean and standard deviation; 0 for an empty array."""
    values = array.astype(np.float64) if array.size else np.zeros(1)
    return [list(array.shape), str(array.dtype), float(values.mean()), float(values.std())]


def processor() -> str:
    """Kernels of torch and OpenCV are chosen by it, and may round otherwise on another."""
    return torch.backends.cpu.get_cpu_capability()


@pytest.fixture(scope="module")
def recorded() -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def test_recipes_run_ids_and_fold_keys_are_the_recorded_ones(recorded: Mapping[str, Any]) -> None:
    assert pipeline_digests() == recorded["pipelines"]
    assert stage_recipes() == recorded["recipes"]
    assert run_ids() == recorded["runs"]
    assert fold_keys() == recorded["folds"]


def test_a_report_has_the_recorded_bytes(recorded: Mapping[str, Any], tmp_path: Path) -> None:
    assert report_files(tmp_path) == recorded["report"]


def test_artifacts_of_drawn_clips_are_the_recorded_ones(recorded: Mapping[str, Any], tmp_path: Path) -> None:
    found = stage_artifacts(tmp_path)
    for pipeline, clips in recorded["artifacts"].items():
        assert list(found[pipeline]) == list(clips)
        for identity, stages in clips.items():
            for stage, artifact in stages.items():
                made = found[pipeline][identity][stage]
                if recorded["processor"] == processor():
                    assert made["sha256"] == artifact["sha256"], (pipeline, identity, stage)
                for name, (shape, kind, *figures) in artifact.get("arrays", {}).items():
                    assert made["arrays"][name][:2] == [shape, kind]
                    assert made["arrays"][name][2:] == pytest.approx(figures, rel=1e-3, abs=1e-4), name


def record() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        values = {
            "processor": processor(),
            "pipelines": pipeline_digests(),
            "recipes": stage_recipes(),
            "runs": run_ids(),
            "folds": fold_keys(),
            "report": report_files(place / "report"),
            "artifacts": stage_artifacts(place / "clips"),
        }
    FILE.write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    record()
