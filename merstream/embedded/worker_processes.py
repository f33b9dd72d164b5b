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

from merstream.single_thread import single_thread_environment
from shared.errors import Misconfigured, MissingWeights
from shared.settings import KeepPolicy, Settings

IDLE_SECONDS = 0.05
REFUSED = 2  # exit code of a worker that can't go on and says why in its log


class WorkerCrew:
    """`size` processes that work until `close`; one that is killed is replaced, a few times."""

    def __init__(self, home: Path, size: int, keep: KeepPolicy = "all", restarts: int = 3) -> None:
        self.home, self.keep = home, keep
        self._context = multiprocessing.get_context("spawn")
        self._lives = restarts
        self._members = [self._start_worker() for _ in range(size)]

    def replace_dead_workers(self) -> None:
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
            self._members[place] = self._start_worker()

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

    def _start_worker(self) -> tuple[BaseProcess, Connection]:
        ours, theirs = self._context.Pipe()
        name = f"worker-{time.time_ns():x}"
        process = self._context.Process(
            target=_run_worker_process, args=(self.home, self.keep, theirs, name), name=name, daemon=True
        )
        with single_thread_environment():
            process.start()
        theirs.close()
        return process, ours


def _run_worker_process(home: Path, keep: KeepPolicy, lifeline: Connection, name: str) -> None:
    """A member's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    stopping = threading.Event()
    threading.Thread(target=_await_stop, args=(lifeline, stopping), daemon=True).start()
    log = home / "logs" / f"{name}.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    _log_to_file(log)
    try:
        _serve_stages(home, keep, stopping)
    except (Misconfigured, MissingWeights) as reason:
        log.with_suffix(".refused").write_text(str(reason))
        raise SystemExit(REFUSED) from None


def _serve_stages(home: Path, keep: KeepPolicy, stopping: threading.Event) -> None:
    import cv2

    from merstream.embedded.run_folder import Workspace
    from merstream.stages import STAGES
    from shared.telemetry import Metrics
    from shared.worker import Worker
    from shared.worker.stage_handler import StageHandler

    cv2.setNumThreads(1)
    place, metrics = Workspace(home), Metrics()
    bus, store = place.open_bus(), place.open_store()
    # Here every clip that fails is told at the end, and nothing but this run's own data is at stake.
    settings = Settings(dead_letters_consecutive=0, dead_letters_ratio=0)
    workers = [
        Worker(StageHandler(stage, store, keep), bus, store, settings, metrics, stopping) for stage in reversed(STAGES)
    ]
    while not stopping.is_set():
        # Finishing what is under way before starting anew keeps few large artifacts between stages.
        if not any(worker.step() for worker in workers):
            stopping.wait(IDLE_SECONDS)
    bus.close()


def _await_stop(lifeline: Connection, stopping: threading.Event) -> None:
    """The parent says stop, or is gone: a child that outlives its parent would work against the next start."""
    try:
        lifeline.recv()
        stopping.set()
    except (EOFError, OSError):
        os._exit(1)


def _log_to_file(file: Path) -> None:
    from shared.telemetry import JsonLineFormatter

    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(JsonLineFormatter())
    logging.basicConfig(level="INFO", handlers=[handler], force=True)
