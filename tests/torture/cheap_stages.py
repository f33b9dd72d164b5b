"""The image stages with a computation of microseconds, as services: `python -m tests.torture.cheap_stages flow`.

Everything but the computation is the product's. A clip's frames carry what it is: {"number", "version", "poison"}. Each
stage multiplies, so that the auditor can reckon the features. TORTURE_SKEW is what this process' clock is wrong by, s.
"""

import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from shared.bus import Bus
from shared.errors import BadData
from shared.settings import Settings
from shared.stage import Arrays, Stage, StageSettings
from shared.store import Store
from shared.telemetry import Metrics
from shared.worker.child_handler import HandlerTools, build_service_handler
from shared.worker.process import Loop, build_service_worker, serve_loops
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


def build_cheap_worker(
    settings: Settings, bus: Bus, store: Store, metrics: Metrics, stopping: threading.Event
) -> Sequence[Loop]:
    """One worker of the stage that the command line names."""
    name = sys.argv[1]
    build = partial(build_cheap_handler, name)
    handler = build_service_handler(name, build, settings, store, metrics, stopping, ["tests.torture.cheap_stages"])
    return [build_service_worker(handler, bus, store, settings, metrics, stopping)]


def main() -> None:
    skew, true_time = float(os.environ.get("TORTURE_SKEW", "0")), time.time
    time.time = lambda: true_time() + skew  # Kafka's client dates messages by it
    serve_loops(build_cheap_worker)


if __name__ == "__main__":
    main()
