"""Ctrl-C and its relatives: which process of a command they reach, and as what."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def start_deaf_processes() -> Iterator[None]:
    """Processes that start within never see Ctrl-C, not even while they load. Their parent ends them.

    A blocked signal stays blocked in a new process. This process gets its own Ctrl-C afterwards.
    """
    resource_tracker.ensure_running()  # otherwise multiprocessing starts it within, which unblocks the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def end_as_by_ctrl_c() -> Iterator[None]:
    """Let SIGTERM and a closed terminal (SIGHUP) raise KeyboardInterrupt, so that worker processes are ended too.

    A signal that is ignored, as under `nohup`, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _ENDING_SIGNALS}
    for number in (number for number, handler in before.items() if handler is signal.SIG_DFL):
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
