"""Marks of the dataset that is being read: one that ended the inbox several times is left alone, and others go on.

The process for strangers' files catches most of it. This is for what a container with all its processes dies of.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.bus import Message
from shared.errors import BadData
from shared.worker.attempt_marks import AttemptMarks


class VisitMarks:
    """Counts the processes that ended while they read one state of a dataset. `most` of them are enough."""

    def __init__(self, marks: AttemptMarks, most: int) -> None:
        self.marks, self.most = marks, most
        self._visited: Message | None = None

    @contextmanager
    def watch_visit(self, name: str, state: str) -> Iterator[None]:
        """Mark the dataset while it is read. `state` changes with its objects. Raises BadData after `most` deaths."""
        self._visited = visit = Message(self.marks.group, 0, 0, name, f"{name} {state}".encode())
        lost = self.marks.begin_work(visit)
        try:
            with self.marks.watch_work(visit, lambda: True):
                self._refuse_deadly(name, lost)
                yield
        finally:
            self._visited = None

    def note_progress(self) -> None:
        """Say that the present visit got further than earlier ones: their deaths do not count any more."""
        if self._visited is not None:
            self.marks.forget_lost(self._visited)

    def _refuse_deadly(self, name: str, lost: int) -> None:
        if lost >= self.most:
            raise BadData(
                f"{name}: {lost} processes of the inbox ended while they read it (killed, out of memory, a machine "
                "that failed). It is left alone until its objects change. Give the inbox more memory, or upload "
                "smaller files."
            )
