"""Artifacts of the store, read in parts for pages: one at a time, so that memory is that of one picture."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import HTTPException

from services.console.state_reader import hold_lock
from services.console.stored_files import open_stored_file
from shared.records import Artifact
from shared.stage import Arrays
from shared.store import NotStored, Store
from shared.store.npz import ArrayFile

LARGEST_ARTIFACT_BYTES = 1 << 30  # that is copied to the scratch folder for a picture
TIMING = ("positions", "apex", "times", "apex_time")  # arrays of an interpolator's artifact that say when frames are
LARGEST_PART_BYTES = 24 << 20  # of arrays that are in memory at once


class ArtifactReader:
    """Opens artifacts for several threads. One that waits longer than `patience_seconds` gets Unavailable."""

    def __init__(self, store: Store, scratch: Path | None, patience_seconds: float) -> None:
        self.store, self.scratch, self.patience_seconds = store, scratch, patience_seconds
        self._lock = threading.Lock()

    @contextmanager
    def open_arrays(self, artifact: Artifact) -> Iterator[ArrayFile]:
        """The arrays of an artifact. Raises HTTPException 404 if it is gone, 413 if it is too large for a page."""
        if artifact.size > LARGEST_ARTIFACT_BYTES:
            raise HTTPException(413, _describe_size(artifact.key, artifact.size, LARGEST_ARTIFACT_BYTES))
        with hold_lock(self._lock, self.patience_seconds):
            try:
                file = open_stored_file(self.store, artifact.key, self.scratch)
            except NotStored as gone:
                raise HTTPException(404, str(gone)) from None
            with file:
                yield ArrayFile(file, artifact.key)


def read_factor(arrays: ArrayFile, name: str, factor: int) -> Arrays:
    """The array `name` [1, ...] and `factors` [1] of one factor, with the numbers of its frames if there are some.

    Raises HTTPException as `check_part_size`.
    """
    check_part_size(f"A row of {name} in {arrays.label}", arrays.count_row_bytes(name))
    numbers = {each: arrays[each] for each in ("frame_numbers",) if each in arrays}
    return numbers | {each: arrays.read_rows(each, factor, factor + 1) for each in (name, "factors")}


def check_part_size(name: str, size: int) -> None:
    """Raise HTTPException 413 for a part of an artifact of so many bytes, if a page must not take it into memory."""
    if size > LARGEST_PART_BYTES:
        raise HTTPException(413, _describe_size(name, size, LARGEST_PART_BYTES))


def _describe_size(name: str, size: int, largest: int) -> str:
    return (
        f"{name} has {size >> 20} MiB. A page shows at most {largest >> 20} MiB at once. Download the artifact instead."
    )
