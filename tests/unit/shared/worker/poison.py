"""A stage in which some records do what ends a process, for a worker with the real bus, store and child process."""

import ctypes
import os
import signal
import sys
from collections.abc import Mapping

import numpy as np

from shared.stage import Arrays, Stage, StageSettings

GOOD, GREEDY, KILLED, CRASHED, ENDLESS, EXITED = range(6)  # what the value of a record does


class PlainSettings(StageSettings):
    pass


def compute(inputs: Mapping[str, Arrays], settings: PlainSettings) -> Arrays:
    """Twice the value [], unless the value ends the process."""
    what = int(inputs["magnifier"]["value"])
    if what == GREEDY:
        np.ones(1 << 60, np.uint8)
    if what == KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    if what == CRASHED:
        ctypes.string_at(0)
    if what == EXITED:
        sys.exit(3)
    while what == ENDLESS:
        pass
    return {"twice": np.float64(2 * what)}


STAGE = Stage("flow", 1, "magnified", ("magnifier",), "flows", {"corrected": PlainSettings()}, compute)
