"""The process of a service: its loops and health endpoints, until SIGTERM."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from shared.bus import Bus
from shared.connect import open_bus, open_store
from shared.errors import MerError
from shared.settings import Settings, load_settings
from shared.store import Store
from shared.telemetry import HealthServer, Metrics, log_to_stderr
from shared.worker import MessageHandler, Worker
from shared.worker.attempt_marks import AttemptMarks
from shared.worker.child_handler import build_service_handler, build_stage_handler

log = logging.getLogger(__name__)

REFUSED_EXIT_CODE = 2  # exit code of a process that cannot continue and has logged why


class Loop(Protocol):
    """One thread of a process, for example a `Worker`. Its constructor gets the event that ends `run`."""

    def run(self) -> None:
        """Work until the event is set."""

    def is_ready(self) -> bool:
        """Whether it takes work."""

    def is_stalled(self) -> bool:
        """Whether only a restart of the process helps."""


LoopFactory = Callable[[Settings, Bus, Store, Metrics, threading.Event], Sequence[Loop]]


def main(module: str) -> None:
    """The process of an image stage, which `module` has as `STAGE`: one worker. The stage is loaded in its child."""
    group = module.split(".")[-2].replace("_", "-")

    def build_worker(
        settings: Settings, bus: Bus, store: Store, metrics: Metrics, stopping: threading.Event
    ) -> Sequence[Loop]:
        build = partial(build_stage_handler, module)
        handler = build_service_handler(group, build, settings, store, metrics, stopping, [module])
        return [build_service_worker(handler, bus, store, settings, metrics, stopping)]

    serve_loops(build_worker)


def build_service_worker(
    handler: MessageHandler,
    bus: Bus,
    store: Store,
    settings: Settings,
    metrics: Metrics,
    stopping: threading.Event,
) -> Worker:
    """A worker that also counts the processes that ended in work on a message."""
    marks = AttemptMarks(store, handler.name, stopping)
    return Worker(handler, bus, store, settings, metrics, stopping, marks=marks)


def serve_loops(build_loops: LoopFactory) -> None:
    """Run the loops that `build_loops` returns, each in a thread. The first that fails ends the process with code 2.

    `build_loops` also gets the event that ends the loops. SIGTERM sets it.
    """
    log_to_stderr("INFO")  # until the settings say otherwise
    try:
        settings = load_settings()
        log_to_stderr(settings.log_level)
        bus, metrics, stopping = open_bus(settings), Metrics(), threading.Event()
        loops = build_loops(settings, bus, open_store(settings), metrics, stopping)
    except MerError as error:
        log.error("%s", error)
        sys.exit(REFUSED_EXIT_CODE)
    health = HealthServer(
        metrics,
        settings.port,
        ready=lambda: all(loop.is_ready() for loop in loops),
        stalled=lambda: any(loop.is_stalled() for loop in loops),
    )
    stop_on_signals(stopping, settings.grace_seconds)
    health.start()
    failed = _run_loops(loops, stopping)
    bus.close()
    health.stop()
    sys.exit(REFUSED_EXIT_CODE if failed else 0)


def _run_loops(loops: Sequence[Loop], stopping: threading.Event) -> bool:
    """Whether a loop failed."""
    failures: list[BaseException] = []

    def run_loop(loop: Loop) -> None:
        try:
            loop.run()
        except BaseException as error:
            failures.append(error)
            log.error("%s", error, exc_info=None if isinstance(error, MerError) else error)
            stopping.set()

    threads = [threading.Thread(target=run_loop, args=(loop,), name=type(loop).__name__) for loop in loops]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():  # a join without a limit would keep signals waiting
            thread.join(0.5)
    return bool(failures)


def stop_on_signals(stopping: threading.Event, grace_seconds: float) -> None:
    """Let SIGTERM and SIGINT set `stopping`. After the grace period the process ends with code 0.

    Work that is not committed then is repeated by another process.
    """

    def stop_process(_signal: int, _frame: object) -> None:
        stopping.set()
        timer = threading.Timer(grace_seconds, os._exit, [0])
        timer.daemon = True
        timer.start()

    signal.signal(signal.SIGTERM, stop_process)
    signal.signal(signal.SIGINT, stop_process)
