"""Signals of a command: workers never see Ctrl-C, and a closed terminal ends a command as Ctrl-C does."""

import multiprocessing
import os
import signal
import threading

import pytest

from shared.interrupts import end_as_by_ctrl_c, start_deaf_processes


def report_mask(pipe: object) -> None:
    pipe.send(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set()))  # type: ignore[attr-defined]


def end_myself(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    threading.Event().wait(60)


def test_a_process_that_starts_within_is_deaf_and_this_one_is_not() -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=report_mask, args=(theirs,))
    with start_deaf_processes():
        process.start()
    assert ours.recv() is True
    process.join()
    with pytest.raises(KeyboardInterrupt):
        end_myself(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_end_of_a_terminal_is_as_ctrl_c(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), end_as_by_ctrl_c():
        end_myself(number)
    assert signal.getsignal(number) is before


def test_under_nohup_a_closed_terminal_is_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with end_as_by_ctrl_c():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
