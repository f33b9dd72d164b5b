"""Memory of the two stages that see all of a clip's frames; the later ones see a fixed number."""

import multiprocessing
import resource
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage import data

FRAMES, ROWS, COLUMNS = 2000, 720, 1280
BOUND = 1800  # MB, the interpreter and torch included; the clip's own crops are 376 MB, its full frames 5,530


def recording(folder: Path) -> Path:
    """A dataset of one video: a face in the middle of 1280x720, its brightness rising and falling."""
    folder.mkdir()
    face = data.astronaut()[20:260, 90:350]
    picture = np.full((ROWS, COLUMNS, 3), 90, np.uint8)
    top, left = (ROWS - face.shape[0]) // 2, (COLUMNS - face.shape[1]) // 2
    picture[top : top + face.shape[0], left : left + face.shape[1]] = face[..., ::-1]
    shades = [cv2.convertScaleAbs(picture, alpha=1 - 0.01 * step) for step in range(10)]
    video = cv2.VideoWriter(str(folder / "long.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 200, (COLUMNS, ROWS))
    for number in range(FRAMES):
        video.write(shades[abs(number % 18 - 9)])
    video.release()
    row = f"d,s,long,long.mp4,0,{FRAMES // 2},{FRAMES - 1},200,happiness,12"
    (folder / "clips.csv").write_text(f"dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus\n{row}\n")
    return folder


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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shapes = [read_artifact(store, each, "")["frames"].shape for each in (record.inputs["ingest"], record.artifact)]
    told.send((shapes, peak))


def test_2000_frames_of_1280x720_pass_in_bounded_memory(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=through, args=(recording(tmp_path / "data"), tmp_path / "store", theirs))
    child.start()
    theirs.close()
    shapes, peak = ours.recv()
    child.join()
    assert shapes == [(FRAMES, 280, 224, 3), (11, 280, 224, 3)]
    assert 376 < peak < BOUND, peak
