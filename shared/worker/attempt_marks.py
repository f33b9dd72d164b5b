"""Marks in the store of work that has begun: they count the processes that ended in work on a message.

A process puts its mark before it begins, and takes it away however its work ends, and also when it is told to stop or
its partition goes to another member. So only a process that died leaves one. An offset's metadata in the broker would
need no object, but a member that has lost its partition could not take its mark away.

Each process has a mark of its own, so that two which work at the same time never overwrite each other's.
"""

import hashlib
import logging
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import count

from shared.bus import Message
from shared.errors import MerError
from shared.store import Store

MARKS_PREFIX = "attempts/"
WATCH_SECONDS = 1.0
SILENCE_SECONDS = 10 * WATCH_SECONDS  # without a change of its mark, after which a process counts as dead

log = logging.getLogger(__name__)


class AttemptMarks:
    """The marks of one process for the messages of a group. Names of processes are random.

    With `renews`, the mark changes every second while the process works. So others see that it lives.
    """

    def __init__(self, store: Store, group: str, stopping: threading.Event, renews: bool = False) -> None:
        self.store, self.group, self.stopping, self.renews = store, group, stopping, renews
        self.process = uuid.uuid4().hex
        self._others: Collection[str] = ()  # keys of the marks that others had left when the present work began
        self._renewals = count()

    def begin_work(self, message: Message) -> int:
        """Put the mark. Returns how many other processes ended in work on the message. Raises errors of the store."""
        self._others = self._find_others(message).keys()
        self._put_mark(message)
        return len(self._others)

    def count_silent(self, message: Message, pause: Callable[[], object]) -> int:
        """The number of other processes whose marks do not change during a pause. Raises errors of the store."""
        before = self._find_others(message)
        pause()
        after = self._find_others(message)
        return sum(after.get(key) == etag for key, etag in before.items())

    def forget_lost(self) -> None:
        """Delete the marks of others: the work got further than where they ended. Raises errors of the store."""
        for key in self._others:
            self.store.delete(key)
        self._others = ()

    @contextmanager
    def watch_work(self, message: Message, is_ours: Callable[[], bool]) -> Iterator[None]:
        """Take the mark away when the work ends. If it ends without an error, also those of the processes that died."""
        ended = threading.Event()
        watch = threading.Thread(target=self._watch_mark, args=(message, is_ours, ended), daemon=True)
        watch.start()
        try:
            yield
        except BaseException:
            ended.set()
            watch.join()
            self._withdraw([self._key_of(message)])
            raise
        ended.set()
        watch.join()
        self._withdraw([self._key_of(message), *self._others])

    def _watch_mark(self, message: Message, is_ours: Callable[[], bool], ended: threading.Event) -> None:
        """Take the mark away as soon as the process is to stop or has lost the message: it may end at any time."""
        while not ended.wait(WATCH_SECONDS):
            if self.stopping.is_set() or not is_ours():
                self._withdraw([self._key_of(message)])
                return
            if self.renews:
                with self._tolerate_faults():
                    self._put_mark(message)

    def _withdraw(self, keys: Collection[str]) -> None:
        with self._tolerate_faults():
            for key in keys:
                self.store.delete(key)

    @contextmanager
    def _tolerate_faults(self) -> Iterator[None]:
        """A mark that stays counts as one lost process too many."""
        try:
            yield
        except (MerError, OSError) as error:
            log.warning("a mark is not up to date: %s", error)

    def _put_mark(self, message: Message) -> None:
        self.store.put(self._key_of(message), str(next(self._renewals)).encode())

    def _find_others(self, message: Message) -> dict[str, str]:
        """The etags of the marks of other processes, by key."""
        own = self._key_of(message)
        listed = self.store.list_objects(own.removesuffix(self.process))
        return {found.key: found.etag for found in listed if found.key != own}

    def _key_of(self, message: Message) -> str:
        """By position and content: a bus that was made anew counts from 0 again."""
        digest = hashlib.sha256(f"{message.position} ".encode() + message.value).hexdigest()
        return f"{MARKS_PREFIX}{self.group}/{digest[:32]}-{self.process}"
