"""Memory of the two stages that see all of a clip's frames; the later ones see a fixed number."""

import multiprocessing
import re
import resource
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from skimage import data

ROWS, COLUMNS = 720, 1280


def recording(folder: Path, count: int) -> Path:
    """A dataset of one video: a face in the middle of 1280x720, its brightness rising and falling."""
    folder.mkdir()
    face = data.astronaut()[20:260, 90:350]
    picture = np.full((ROWS, COLUMNS, 3), 90, np.uint8)
    top, left = (ROWS - face.shape[0]) // 2, (COLUMNS - face.shape[1]) // 2
    picture[top : top + face.shape[0], left : left + face.shape[1]] = face[..., ::-1]
    shades = [cv2.convertScaleAbs(picture, alpha=1 - 0.01 * step) for step in range(10)]
    video = cv2.VideoWriter(str(folder / "long.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 200, (COLUMNS, ROWS))
    for number in range(count):
        video.write(shades[abs(number % 18 - 9)])
    video.release()
    row = f"d,s,long,long.mp4,0,{count // 2},{count - 1},200,happiness,12"
    (folder / "clips.csv").write_text(f"dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus\n{row}\n")
    return folder


def peak_memory() -> float:
    """The most memory that this process has held, MB. `ru_maxrss` would count the process that forked it as well."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def through(dataset: Path, out: Path, told: Any) -> None:
    """Both stages on one process's embedded bus; tells the shapes made and the most memory held, MB."""
    from services.ingest.discover import discover_clips
    from services.ingest.source_records import store_record
    from services.ingest.stage import STAGE as INGEST
    from services.interpolator.stage import STAGE as INTERPOLATOR
    from shared.records import Pipeline
    from shared.store import LocalStore
    from shared.telemetry import Metrics
    from shared.worker.stage_handler import process_record, read_artifact

    store, metrics = LocalStore(out), Metrics()
    (found,) = discover_clips(dataset)
    record = store_record(found, Pipeline(), "t", store)  # type: ignore[arg-type]
    for stage in (INGEST, INTERPOLATOR):
        record, _ = process_record(stage, store, record, metrics)
    peak = peak_memory()
    shapes = [read_artifact(store, each, "")["frames"].shape for each in (record.inputs["ingest"], record.artifact)]
    told.send((shapes, peak))


@pytest.mark.parametrize(
    ("count", "bound"),
    [
        (400, 1100),  # crops 75 MB, full frames 1,106 MB
        pytest.param(2000, 1800, marks=pytest.mark.exhaustive),  # crops 376 MB, full frames 5,530 MB
    ],
)
def test_frames_of_1280x720_pass_in_bounded_memory(tmp_path: Path, count: int, bound: int) -> None:
    """`bound`: MB, with the interpreter and torch, which take about 600 MB."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=through, args=(recording(tmp_path / "data", count), tmp_path / "store", theirs))
    child.start()
    theirs.close()
    shapes, peak = ours.recv()
    child.join()
    assert shapes == [(count, 280, 224, 3), (10, 280, 224, 3)]
    assert count * 280 * 224 * 3 / 1e6 < peak < bound, peak
