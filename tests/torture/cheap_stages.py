"""The image stages with a computation of microseconds. Everything but the computation is the product's.

A clip's frames carry what it is: {"number", "version", "poison"}. Each stage multiplies, so that the auditor can reckon
the features.
"""

import ctypes
import json
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from shared.errors import BadData
from shared.stage import Arrays, Stage, StageSettings
from shared.worker.child_handler import HandlerTools
from shared.worker.stage_handler import StageHandler

# Topic and input of each stage, in order.
ORDER = (
    ("ingest", "sources", "source", "clips"),
    ("interpolator", "clips", "ingest", "interpolated"),
    ("magnifier", "interpolated", "interpolator", "magnified"),
    ("flow", "magnified", "magnifier", "flows"),
    ("roi-au", "flows", "flow", "features"),
)
POISONED = {  # the stage at which a clip of each sort does harm
    "bad-data": "ingest",
    "killed": "interpolator",
    "crash": "magnifier",
    "memory": "flow",
    "endless": "roi-au",
}


class NoSettings(StageSettings):
    """These computations have nothing to set."""


def compute_value(name: str, inputs: Mapping[str, Arrays]) -> Arrays:
    """The next value, unless the clip is poison to this stage."""
    (earlier,) = inputs.values()
    if name == "ingest":
        clip = json.loads(earlier["data"].tobytes().rpartition(b"\n")[2])
        value, poison = np.int64(clip["number"] * 1000 + clip["version"]), str(clip["poison"])
    else:
        value, poison = earlier["value"], str(earlier["poison"])
    if POISONED.get(poison) == name:
        do_harm(poison)
    return {"value": np.asarray(value * 3 + len(name)), "poison": np.asarray(poison)}


def do_harm(poison: str) -> None:
    """What no stage should survive unharmed."""
    if poison == "bad-data":
        raise BadData("expected a clip of the torture run, got poison.")
    if poison == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if poison == "crash":
        ctypes.string_at(0)
    if poison == "memory":
        raise MemoryError("poison")
    while True:
        time.sleep(0.1)


def _build_stage(name: str, consumes: str, reads: str, produces: str) -> Stage[Any]:
    def compute(inputs: Mapping[str, Arrays], settings: NoSettings) -> Arrays:
        return compute_value(name, inputs)

    return Stage(name, 1, consumes, (reads,), produces, {"corrected": NoSettings()}, compute)


STAGES = {name: _build_stage(name, *rest) for name, *rest in ORDER}


def build_cheap_handler(name: str, tools: HandlerTools) -> StageHandler:
    """The handler of a stage, in the process that works."""
    return StageHandler(STAGES[name], tools.store, tools.settings.keep)
