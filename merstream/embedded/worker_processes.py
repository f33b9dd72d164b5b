"""The worker processes of an embedded run: each one serves every stage, the one nearest to the report first."""

import logging
import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from merstream.single_thread import single_threaded
from shared.errors import Misconfigured, MissingWeights
from shared.settings import Keep, Settings

IDLE_SECONDS = 0.05
REFUSED = 2  # exit code of a worker that can't go on and says why in its log


class Crew:
    """`size` processes that work until `close`; one that is killed is replaced, a few times."""

    def __init__(self, home: Path, size: int, keep: Keep = "all", lives: int = 3) -> None:
        self.home, self.keep = home, keep
        self._context = multiprocessing.get_context("spawn")
        self._lives = lives
        self._members = [self._start() for _ in range(size)]

    def check(self) -> None:
        """Replace members that died. Raises Misconfigured if one refused to work or too many were killed."""
        for place, (process, _) in enumerate(self._members):
            if process.is_alive():
                continue
            if process.exitcode == REFUSED:
                raise Misconfigured((self.home / "logs" / f"{process.name}.refused").read_text())
            self._lives -= 1
            if self._lives < 0:
                raise Misconfigured(
                    f"Worker processes keep dying, the last with exit code {process.exitcode}; is there enough memory? "
                    f"The last lines of {self.home / 'logs'} say what it worked on."
                )
            self._members[place] = self._start()

    def close(self, grace_seconds: float = 3.0) -> None:
        """Ask all to stop; what is not done within the grace period is abandoned and taken up at the next start."""
        for process, lifeline in self._members:
            if process.is_alive():
                lifeline.send("stop")
        deadline = time.monotonic() + grace_seconds
        for process, lifeline in self._members:
            process.join(max(0.0, deadline - time.monotonic()))
            process.kill()
            process.join()
            lifeline.close()

    def _start(self) -> tuple[BaseProcess, Connection]:
        ours, theirs = self._context.Pipe()
        name = f"worker-{time.time_ns():x}"
        process = self._context.Process(target=_work, args=(self.home, self.keep, theirs, name), name=name, daemon=True)
        with single_threaded():
            process.start()
        theirs.close()
        return process, ours


def _work(home: Path, keep: Keep, lifeline: Connection, name: str) -> None:
    """A member's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    stopping = threading.Event()
    threading.Thread(target=_listen, args=(lifeline, stopping), daemon=True).start()
    log = home / "logs" / f"{name}.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    _log_to(log)
    try:
        _serve(home, keep, stopping)
    except (Misconfigured, MissingWeights) as reason:
        log.with_suffix(".refused").write_text(str(reason))
        raise SystemExit(REFUSED) from None


def _serve(home: Path, keep: Keep, stopping: threading.Event) -> None:
    import cv2

    from merstream.embedded.run_folder import Workspace
    from merstream.stages import STAGES
    from shared.telemetry import Metrics
    from shared.worker import Worker
    from shared.worker.stage_handler import StageTask

    cv2.setNumThreads(1)
    place, metrics = Workspace(home), Metrics()
    bus, store = place.bus(), place.store()
    # Here every clip that fails is told at the end, and nothing but this run's own data is at stake.
    settings = Settings(dead_letters_consecutive=0, dead_letters_ratio=0)
    workers = [Worker(StageTask(stage, store, keep), bus, store, settings, metrics) for stage in reversed(STAGES)]
    for worker in workers:
        worker.stopping = stopping
    while not stopping.is_set():
        # Finishing what is under way before starting anew keeps few large artifacts between stages.
        if not any(worker.step() for worker in workers):
            stopping.wait(IDLE_SECONDS)
    bus.close()


def _listen(lifeline: Connection, stopping: threading.Event) -> None:
    """The parent says stop, or is gone: a child that outlives its parent would work against the next start."""
    try:
        lifeline.recv()
        stopping.set()
    except (EOFError, OSError):
        os._exit(1)


def _log_to(file: Path) -> None:
    from shared.telemetry import JsonLines

    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(JsonLines())
    logging.basicConfig(level="INFO", handlers=[handler], force=True)
