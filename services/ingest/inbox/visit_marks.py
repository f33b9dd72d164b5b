"""Marks of the dataset that is being read: one that ended the inbox several times is left alone, and others go on.

The process for strangers' files catches most of it. This is for what a container with all its processes dies of.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.bus import Message
from shared.errors import BadData
from shared.worker.attempt_marks import SILENCE_SECONDS, AttemptMarks


class VisitMarks:
    """Counts the processes that ended while they read one state of a dataset. `most` of them are enough.

    Other inboxes that read the same dataset now do not count: their marks change during `pause`.
    """

    def __init__(self, marks: AttemptMarks, most: int, pause: Callable[[], object] | None = None) -> None:
        self.marks, self.most = marks, most
        self.pause = pause or (lambda: marks.stopping.wait(SILENCE_SECONDS))

    @contextmanager
    def watch_visit(self, name: str, state: str) -> Iterator[None]:
        """Mark the dataset while it is read. `state` changes with its objects. Raises BadData after `most` deaths."""
        visit = Message(self.marks.group, 0, 0, name, f"{name} {state}".encode())
        may_be_lost = self.marks.begin_work(visit)
        with self.marks.watch_work(visit, lambda: True):
            if may_be_lost >= self.most:
                self._refuse_deadly(name, self.marks.count_silent(visit, self.pause))
            yield

    def note_progress(self) -> None:
        """Say that the present visit got further than earlier ones: their deaths do not count any more."""
        self.marks.forget_lost()

    def _refuse_deadly(self, name: str, lost: int) -> None:
        if lost >= self.most and not self.marks.stopping.is_set():
            raise BadData(
                f"{name}: {lost} processes of the inbox ended while they read it (killed, out of memory, a machine "
                "that failed). It is left alone until its objects change. Give the inbox more memory, or upload "
                "smaller files."
            )
