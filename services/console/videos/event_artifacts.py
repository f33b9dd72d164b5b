"""What the image stages made of an event of a video, as far as its pictures show it."""

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.console.clips.artifact_reader import TIMING, ArtifactReader, check_part_size, read_factor
from shared.prediction.page.artifacts import EventArtifacts
from shared.records import Record
from shared.stage import Arrays
from shared.store.npz import ArrayFile

MARKS = ("onset", "apex", "offset")


def read_event_artifacts(artifacts: ArtifactReader, record: Record) -> EventArtifacts:
    """The arrays of an event's record: three recorded frames, and of the rest the middle factor.

    Raises HTTPException as `ArtifactReader.open_arrays`, 413 for parts that are too large, BadData for other artifacts.
    """

    def open_stage(stage: str) -> AbstractContextManager[ArrayFile]:
        return artifacts.open_arrays(record.artifacts[stage])

    with open_stage("ingest") as arrays:
        ingest = _read_marked_frames(arrays)
    with open_stage("interpolator") as arrays:
        check_part_size(arrays.label, arrays.count_row_bytes("frames") * arrays.shapes["frames"][0])
        interpolator = {name: arrays[name] for name in ("frames", *TIMING) if name in arrays}
    with open_stage("magnifier") as arrays:
        magnifier = _read_middle_factor(arrays, "frames")
    with open_stage("flow") as arrays:
        flow = _read_middle_factor(arrays, "flows")
    with open_stage("roi-au") as arrays:
        features = {"landmarks": arrays["landmarks"]}
    return EventArtifacts(ingest, interpolator, magnifier, flow, features)


def _read_marked_frames(arrays: ArrayFile) -> Arrays:
    """Onset, apex and offset alone: a clip may have thousands of frames uint8 [T, H, W, 3]."""
    frames: list[NDArray[Any]] = []
    for mark in MARKS:
        at = int(arrays[mark])
        frames.append(arrays.read_rows("frames", at, at + 1))
    return {"frames": np.concatenate(frames), **{mark: np.array(at) for at, mark in enumerate(MARKS)}}


def _read_middle_factor(arrays: ArrayFile, name: str) -> Arrays:
    return read_factor(arrays, name, arrays.shapes["factors"][0] // 2)
