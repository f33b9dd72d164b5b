"""The evaluation plan of a run from the artifacts that its records name."""

import math
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.arrays import ArrayAllocator
from services.trainer.data.features import build_features
from services.trainer.evaluation.plan import EvaluationPlan
from shared.clip_notes import SPOTTED_APEX, describe_record_notes
from shared.records import Record
from shared.store import ObjectReader
from shared.training.annotations import clip_id
from shared.training.clip_selection import content_digests, select_by_protocol
from shared.training.options import TrainingOptions
from shared.worker.stage_handler import read_artifact


def load_plan_from_artifacts(
    records: Sequence[Record], store: ObjectReader, options: TrainingOptions, allocate: ArrayAllocator = np.empty
) -> EvaluationPlan:
    """Read the selected clips one by one and compare each artifact with the digest in its record.

    Raises BadData as `select_by_protocol` and `build_features` do, and for a missing or changed artifact.
    """
    samples, contents = [record.sample for record in records], [content_digests(record) for record in records]
    found = select_by_protocol(samples, options.protocol, options.classes, contents)

    def read_clip_arrays(row: int) -> Any:
        record = records[found.clips[row].row]
        return read_artifact(store, record.artifact, record.clip_name)

    features = build_features(
        found.clips, read_clip_arrays, found.classes, found.other_emotions, allocate, units=found.units
    )
    notes = describe_record_notes(records[clip.row] for clip in found.clips)
    used = set(features.names.tolist())
    apexes = Counter(_kind_of_apex(records[clip.row]) for clip in found.clips if clip_id(clip) in used)
    return EvaluationPlan(features, options.protocol, options.seeds, found, tuple(notes), dict(sorted(apexes.items())))


def _kind_of_apex(record: Record) -> str:
    """Whether the clip's apex was coded, and where, or spotted by the stage ingest, which notes it."""
    sample = record.sample
    if sample.apex is None or any(SPOTTED_APEX in note for note in record.notes):
        return "spotted"
    middle = abs(2 * sample.apex - sample.onset - sample.offset) <= 1
    return "coded on the middle frame" if middle else "coded"


def memmap_allocator(folder: Path | None) -> ArrayAllocator:
    """An allocator that maps files below `folder` (default: the system's) instead of using memory.

    The files have no names, so the kernel frees them when the process ends in any way.
    """

    def allocate_memmap(shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
        with tempfile.TemporaryFile(dir=folder) as file:
            # Reserve the space now: a write to a mapped page of a full disk would kill the process.
            os.posix_fallocate(file.fileno(), 0, max(1, math.prod(shape) * kind.itemsize))
            return np.memmap(file, kind, "r+", shape=shape)

    return allocate_memmap
