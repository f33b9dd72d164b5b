"""Keeps the course of the fold that is trained in the store, so that it can be followed."""

import time
from collections.abc import Callable
from contextlib import suppress

from services.trainer.learners.base import EpochSummary
from shared.errors import Unavailable
from shared.store import Store
from shared.training.fold_course import FoldCourse

WRITE_SECONDS = 2.0  # between two puts: as often as the console looks. A fold that is done earlier has none


class CourseWriter:
    """Writes a course at most every `write_seconds`, whole each time. A store that is away delays no training."""

    def __init__(
        self,
        store: Store,
        key: str,
        course: FoldCourse,
        write_seconds: float = WRITE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store, self.key, self.course, self.write_seconds, self.clock = store, key, course, write_seconds, clock
        self._next = clock() + write_seconds
        self._loss: list[float] = []
        self._uf1: list[float] = []

    def note_epoch(self, epoch: EpochSummary) -> None:
        """The `on_epoch` callback."""
        self._loss.append(epoch.loss)
        self._uf1.append(epoch.uf1)
        if self.clock() < self._next:
            return
        self._next = self.clock() + self.write_seconds
        course = self.course.model_copy(update={"loss": tuple(self._loss), "uf1": tuple(self._uf1)})
        with suppress(Unavailable):
            self.store.put(self.key, course.encode())
