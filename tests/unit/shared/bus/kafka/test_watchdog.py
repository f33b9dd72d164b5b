"""A loop that stops turning ends the process, and says where every thread was."""

import subprocess
import sys
import tempfile
import threading

from shared.bus.kafka.watchdog import WATCHDOG_EXIT_CODE, Watchdog
from tests.background import run_in_background

STUCK = """
import threading
from shared.bus.kafka.watchdog import Watchdog

def a_call_that_hangs():
    threading.Event().wait()

Watchdog(0.2).start()
a_call_that_hangs()
"""


def test_a_stuck_process_ends_with_its_stacks() -> None:
    ended = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=300)
    assert ended.returncode == WATCHDOG_EXIT_CODE == 70
    assert "has not turned for 0.2 s" in ended.stderr
    assert "a_call_that_hangs" in ended.stderr


def test_a_loop_that_turns_is_left_alone() -> None:
    ends: list[int] = []
    stop = threading.Event()
    with tempfile.TemporaryFile("w") as stacks:
        watchdog = Watchdog(4.0, ends.append, stacks)

        def turn() -> None:
            while not stop.wait(0.01):
                watchdog.heartbeat()

        with run_in_background(turn, stop.set):
            watchdog.start()
            stop.wait(5.0)  # longer than a stuck loop is borne with
            watchdog.stop()
        assert ends == []


def test_stopped_it_no_longer_bites() -> None:
    ends: list[int] = []
    watchdog = Watchdog(1.0, ends.append)
    watchdog.start()
    watchdog.stop()
    threading.Event().wait(1.5)
    assert ends == []
