"""What a run is trained and tested on, from the artifacts that its records name."""

import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.arrays import Empty
from services.trainer.data.features import assemble
from services.trainer.evaluation.clip_selection import contents_of, taken
from services.trainer.evaluation.plan import Evaluation
from services.trainer.options import Choice
from shared.records import Record
from shared.store import Store
from shared.worker.stage_handler import read_artifact


def gather(records: Sequence[Record], store: Store, choice: Choice, empty: Empty = np.empty) -> Evaluation:
    """Read what the protocol takes, clip by clip, each artifact compared with the digest in its record. Raises BadData
    as `taken` and `assemble` do, and for an artifact that is absent or was changed."""
    samples, contents = [record.sample for record in records], [contents_of(record) for record in records]
    found = taken(samples, choice.protocol, choice.classes, contents)

    def read(row: int) -> Any:
        record = records[found.clips[row].row]
        return read_artifact(store, record.artifact, record.key)

    features = assemble(found.clips, read, found.classes, found.others, empty)
    return Evaluation(features, choice.protocol, choice.seeds, found)


def on_disk(folder: Path | None) -> Empty:
    """Room in files below `folder` (default the system's) instead of in memory. They have no names, so the kernel
    frees them when the process ends, however it ends."""

    def empty(shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
        with tempfile.TemporaryFile(dir=folder) as file:
            # Taken now: a disk that is full when a mapped page is written would kill the process.
            os.posix_fallocate(file.fileno(), 0, max(1, math.prod(shape) * kind.itemsize))
            return np.memmap(file, kind, "r+", shape=shape)

    return empty
