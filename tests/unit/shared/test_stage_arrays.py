"""What a stage reads is checked by one declaration: a wrong array is named before anything is computed from it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from merstream.stages import STAGES
from shared.errors import BadData
from shared.records import Pipeline, Record, Sample, artifact_key
from shared.stage import Arrays, Stage
from shared.stage_arrays import ArraySpec, check_arrays
from shared.store import LocalStore
from shared.telemetry import Metrics
from shared.worker.stage_handler import process_record, write_artifact
from tests.hostile.arrays import sound_arrays

SAMPLE = Sample(dataset="d", subject="s", clip="c", onset=0, offset=3, fps=200)
BY_NAME = {stage.name: stage for stage in STAGES}
SPECS = {"frames": ArraySpec("uint8", ("T", "H", 3)), "at": ArraySpec("number", ("T",), optional=True)}


def store_inputs(stage: Stage[Any], inputs: dict[str, Arrays], store: LocalStore) -> Record:
    """A record of a clip with these artifacts."""
    made = {name: write_artifact(store, artifact_key(name, SAMPLE, "0" * 32), inputs[name]) for name in stage.reads}
    last = stage.reads[-1]
    earlier = {name: artifact for name, artifact in made.items() if name != last}
    return Record(
        sample=SAMPLE, stage=last, artifact=made[last], inputs=earlier, recipe="r", pipeline=Pipeline(), trace="t"
    )


def iterate_wrong_arrays() -> Iterator[Any]:
    """Each array of each stage's inputs, once missing, once with another axis, once of another type."""
    for stage in STAGES:
        for name, specs in stage.arrays.items():
            for array, spec in specs.items():
                for change in ("missing", "axis", "type"):
                    if not (spec.optional and change == "missing"):
                        yield pytest.param(stage.name, name, array, change, id=f"{stage.name}-{name}-{array}-{change}")


@pytest.mark.parametrize(("stage", "artifact", "array", "change"), list(iterate_wrong_arrays()))
def test_a_wrong_array_is_named(tmp_path: Path, stage: str, artifact: str, array: str, change: str) -> None:
    inputs = {name: dict(arrays) for name, arrays in sound_arrays().items()}
    sound = inputs[artifact].setdefault(array, np.zeros(1))
    if change == "missing":
        del inputs[artifact][array]
    else:
        inputs[artifact][array] = sound[None, None] if change == "axis" else sound.astype(np.str_)
    store = LocalStore(tmp_path)
    record = store_inputs(BY_NAME[stage], inputs, store)
    with pytest.raises(BadData, match=rf"^d/s/c@\w+: {artifact}/\S+: expected {array} as \w+ \[.*\], got .*ingest"):
        process_record(BY_NAME[stage], store, record, Metrics())


@pytest.mark.parametrize(
    ("frames", "at", "fault"),
    [
        (np.zeros((2, 5, 3), np.uint8), np.zeros(2), ""),
        (np.zeros((2, 5, 3), np.uint8), None, ""),
        (np.zeros((2, 5, 3), np.uint8), np.zeros(3), r"at as number \[T\], got float64 \[3\]"),
        (np.zeros((2, 5, 4), np.uint8), None, r"frames as uint8 \[T, H, 3\], got uint8 \[2, 5, 4\]"),
        (np.zeros((0, 5, 3), np.uint8), None, r"frames .* got uint8 \[0, 5, 3\]"),
        (np.zeros((2, 5, 3), np.int64), None, r"frames .* got int64"),
        (None, None, "frames .* got none of this name"),
    ],
)
def test_equal_names_are_equal_lengths(frames: Any, at: Any, fault: str) -> None:
    arrays = {name: array for name, array in (("frames", frames), ("at", at)) if array is not None}
    if not fault:
        check_arrays(arrays, SPECS, "a.npz")
        return
    with pytest.raises(BadData, match=rf"^a\.npz: expected {fault}"):
        check_arrays(arrays, SPECS, "a.npz")
