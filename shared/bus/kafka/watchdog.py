"""A watchdog that ends a process whose loop has stopped, and prints the stacks of all threads before."""

import faulthandler
import os
import sys
import threading
from collections.abc import Callable
from typing import TextIO

WATCHDOG_EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h
_CHECKS_PER_TIMEOUT = 4


class Watchdog:
    """Calls `end(70)` if `heartbeat` was not called for `seconds`.

    It counts its own checks of the loop, not the clock. So it does not end a process that was suspended, or whose
    threads were all delayed by a computation.
    """

    def __init__(self, seconds: float, end: Callable[[int], object] = os._exit, stacks: TextIO | None = None) -> None:
        self.seconds, self.end_process, self.stacks = seconds, end, stacks
        self._heartbeats = 0
        self.is_late = False  # no heartbeat for half of the time
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch_heartbeats, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def heartbeat(self) -> None:
        """Report a turn of the loop."""
        self._heartbeats += 1

    def _watch_heartbeats(self) -> None:
        seen, idle = self._heartbeats, 0
        while not self._stopped.wait(self.seconds / _CHECKS_PER_TIMEOUT):
            idle = idle + 1 if self._heartbeats == seen else 0
            seen, self.is_late = self._heartbeats, idle >= _CHECKS_PER_TIMEOUT // 2
            if idle >= _CHECKS_PER_TIMEOUT:
                self._abort_process()
                return

    def _abort_process(self) -> None:
        stream = self.stacks or sys.stderr
        stream.write(f"A loop has not turned for {self.seconds:g} s: the process ends. Stacks of all threads:\n")
        stream.flush()
        faulthandler.dump_traceback(stream, all_threads=True)
        self.end_process(WATCHDOG_EXIT_CODE)
