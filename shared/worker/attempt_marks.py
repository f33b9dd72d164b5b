"""Marks in the store of work that has begun: they count the processes that ended in work on a message.

A process puts its mark before it begins, and takes it away however its work ends, and also when it is told to stop or
its partition goes to another member. So only a process that died leaves one. An offset's metadata in the broker would
need no object, but a member that has lost its partition could not take its mark away.
"""

import hashlib
import json
import logging
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from shared.bus import Message
from shared.errors import MerError
from shared.store import NotStored, Store

MARKS_PREFIX = "attempts/"
WATCH_SECONDS = 1.0

log = logging.getLogger(__name__)


class AttemptMarks:
    """The marks of one process for the messages of a group. Names of processes are random."""

    def __init__(self, store: Store, group: str, stopping: threading.Event) -> None:
        self.store, self.group, self.stopping = store, group, stopping
        self.process = uuid.uuid4().hex

    def begin_work(self, message: Message) -> int:
        """Put the mark. Returns how many other processes ended in work on the message. Raises errors of the store."""
        lost = self._read_marks(message) - {self.process}
        self._write_marks(message, lost | {self.process})
        return len(lost)

    def forget_lost(self, message: Message) -> None:
        """Keep this process's mark alone: the work got further than where others ended. Raises errors of the store."""
        self._write_marks(message, {self.process})

    @contextmanager
    def watch_work(self, message: Message, is_ours: Callable[[], bool]) -> Iterator[None]:
        """Take the mark away when the work ends. All marks, if it ends without an error: then it is committed."""
        ended = threading.Event()
        watch = threading.Thread(target=self._withdraw_early, args=(message, is_ours, ended), daemon=True)
        watch.start()
        try:
            yield
        except BaseException:
            ended.set()
            watch.join()
            self._withdraw(message)
            raise
        ended.set()
        watch.join()
        self._withdraw(message, all_marks=True)

    def _withdraw_early(self, message: Message, is_ours: Callable[[], bool], ended: threading.Event) -> None:
        """Take the mark away as soon as the process is to stop or has lost the message: it may end at any time."""
        while not ended.wait(WATCH_SECONDS):
            if self.stopping.is_set() or not is_ours():
                self._withdraw(message)
                return

    def _withdraw(self, message: Message, all_marks: bool = False) -> None:
        try:
            self._write_marks(message, set() if all_marks else self._read_marks(message) - {self.process})
        except (MerError, OSError) as error:  # it counts as one lost process too many
            log.warning("a mark stays: %s", error)

    def _write_marks(self, message: Message, marks: Collection[str]) -> None:
        if marks:
            self.store.put(self._key_of(message), json.dumps(sorted(marks)).encode())
        else:
            self.store.delete(self._key_of(message))

    def _read_marks(self, message: Message) -> set[str]:
        try:
            return set(json.loads(self.store.get(self._key_of(message))))
        except (NotStored, ValueError):
            return set()

    def _key_of(self, message: Message) -> str:
        """By position and content: a bus that was made anew counts from 0 again."""
        digest = hashlib.sha256(f"{message.position} ".encode() + message.value).hexdigest()
        return f"{MARKS_PREFIX}{self.group}/{digest[:32]}"
