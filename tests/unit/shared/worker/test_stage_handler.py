"""Two workers of one recipe whose devices compute different bytes: what a manifest names is always there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.packed_clips import PackedClip, store_packed_clip
from shared.records import Pipeline, Record, Sample, manifest_key
from shared.stage import Stage, StageSettings
from shared.store import LocalStore
from shared.telemetry import Metrics
from shared.worker.stage_handler import process_record, read_artifact

SAMPLE = Sample(dataset="d", subject="s", clip="c", onset=0, offset=1, fps=200)


class PausingStore(LocalStore):
    """Lets another worker do all its work before the n-th put of this one."""

    def __init__(self, folder: Path, pause_at: int, meanwhile: Callable[[], Any]) -> None:
        super().__init__(folder)
        self.left, self.meanwhile = pause_at, meanwhile

    def put(self, key: str, data: bytes) -> None:
        if self.left == 0:
            self.meanwhile()
        self.left -= 1
        super().put(key, data)


def stage_on(device: float) -> Stage[StageSettings]:
    return Stage(
        name="flow",
        version=1,
        consumes="sources",
        reads=("source",),
        produces="flows",
        profiles={"corrected": StageSettings()},
        compute=lambda inputs, settings: {"value": inputs["source"]["value"] + device},
    )


@pytest.mark.parametrize("pause_at", [0, 1, 2], ids=["before the array", "before the manifest", "after both"])
def test_arrays_and_manifest_are_of_one_worker(tmp_path: Path, pause_at: int) -> None:
    store = LocalStore(tmp_path)
    source = store_packed_clip(PackedClip(SAMPLE, {"value": np.array(1.0)}), Pipeline(), "t", store)
    made: list[Record] = []

    def work(on: LocalStore, device: float) -> None:
        made.append(process_record(stage_on(device), on, source, Metrics())[0])

    work(PausingStore(tmp_path, pause_at, lambda: work(store, 1e-9)), 0.0)
    if pause_at == 2:
        work(store, 1e-9)
    manifest = Record.decode(store.get(manifest_key(made[0].artifact.key)))
    redelivered, outcome = process_record(stage_on(0.0), store, source, Metrics())
    assert outcome == "reused"
    for record in (*made, manifest, redelivered):
        assert read_artifact(store, record.artifact, "later")["value"] == pytest.approx(1.0)
    assert redelivered.artifact == manifest.artifact
