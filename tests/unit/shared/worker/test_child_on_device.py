"""Stages on tensors in child processes, as services run them: a GPU is opened after the fork, in each child anew."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from shared.connect import open_store
from shared.records import Pipeline, Record, Sample
from shared.settings import Settings
from shared.store.npz import Arrays
from shared.telemetry import Metrics
from shared.worker.child_handler import ChildHandler
from shared.worker.stage_handler import read_artifact, write_artifact
from tests.unit.shared.worker.on_device import build_handler_on_device

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
SAMPLE = Sample(dataset="d", subject="s", clip="c", emotion="happiness", onset=0, apex=3, offset=6, fps=100)
MODULES = {stage: f"services.{stage}.stage" for stage in ("interpolator", "magnifier", "flow")}
# RIFE, MagNet and the flow's solver for a GPU: each stage computes on tensors.
ON_TENSORS = Pipeline(
    overrides={
        "interpolator": {"blend_below": 0.0},
        "magnifier": {"method": "magnet", "factors": [0.0, 2.0]},
        "flow": {"solver": "torch"},
    }
)


def wave_clip() -> Arrays:
    """Seven frames of a texture whose middle moves by up to 1 px and back, as ingest stores a clip."""
    y, x = np.mgrid[:48, :40].astype(np.float64)
    bump = np.exp(-((y - 24) ** 2 + (x - 20) ** 2) / 80)
    shifts = np.sin(np.linspace(0, np.pi, 7))
    grey = np.stack([128 + 50 * np.sin((x - shift * bump) / 2) + 40 * np.cos(y / 3) for shift in shifts])
    frames = np.repeat(grey[..., None], 3, -1).round().astype(np.uint8)
    marks = {"onset": 0, "apex": 3, "offset": 6, "fps": 100.0}
    return {"frames": frames, **{name: np.asarray(value) for name, value in marks.items()}}


@contextmanager
def open_child(stage: str, device: str, settings: Settings) -> Iterator[ChildHandler]:
    build = partial(build_handler_on_device, device, MODULES[stage])
    with closing(ChildHandler(stage, build, settings, Metrics(), threading.Event(), list(MODULES.values()))) as handler:
        yield handler


def run_stages(home: Path, device: str, times: int) -> list[list[Record]]:
    """The records of the stages for one clip, in a new child for each stage and time; nothing is reused."""
    runs = []
    for number in range(times):
        settings = Settings(home=home / f"{number}")
        artifact = write_artifact(open_store(settings), "ingest/c.npz", wave_clip())
        record = Record(sample=SAMPLE, stage="ingest", artifact=artifact, recipe="r", trace="t", pipeline=ON_TENSORS)
        records = []
        for stage in MODULES:
            with open_child(stage, device, settings) as child:
                outcome, messages = child.handle(record.encode(), Metrics())
            assert outcome == "computed"
            record = Record.decode(messages[0].value)
            records.append(record)
        runs.append(records)
    return runs


@pytest.mark.parametrize("device", DEVICES)
def test_children_compute_on_a_device_and_repeat_its_bytes(tmp_path: Path, device: str) -> None:
    first, second = run_stages(tmp_path, device, 2)
    assert [record.artifact.sha256 for record in first] == [record.artifact.sha256 for record in second]
    flows = read_artifact(open_store(Settings(home=tmp_path / "0")), first[-1].artifact, "")["flows"]
    still, magnified = np.abs(flows[:, :, 0, 24, 20].astype(float).cumsum(1)).max(1)  # px, of the middle
    assert 0.5 < still < 1.3, "1 px is drawn"
    assert 1.5 < magnified / still < 4, "the factor asks for three times the motion"
