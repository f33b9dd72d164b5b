"""A worker of a cheap stage as a service: `python -m tests.torture.service flow`.

TORTURE_SKEW is what this process' clock is wrong by, s.
"""

import os
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial

from shared.bus import Bus
from shared.settings import Settings
from shared.store import Store
from shared.telemetry import Metrics
from shared.worker.child_handler import build_service_handler
from shared.worker.process import Loop, build_service_worker, serve_loops
from tests.torture.cheap_stages import build_cheap_handler


def build_cheap_worker(
    settings: Settings, bus: Bus, store: Store, metrics: Metrics, stopping: threading.Event
) -> Sequence[Loop]:
    """One worker of the stage that the command line names."""
    name = sys.argv[1]
    build = partial(build_cheap_handler, name)
    handler = build_service_handler(name, build, settings, store, metrics, stopping, [build_cheap_handler.__module__])
    return [build_service_worker(handler, bus, store, settings, metrics, stopping)]


def main() -> None:
    skew, true_time = float(os.environ.get("TORTURE_SKEW", "0")), time.time
    time.time = lambda: true_time() + skew  # Kafka's client dates messages by it
    serve_loops(build_cheap_worker)


if __name__ == "__main__":
    main()
