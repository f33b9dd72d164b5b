"""The worker processes of an embedded run. Each one serves every stage, the last stage first."""

import logging
import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from merstream.caller_script import hide_caller_script
from merstream.single_thread import single_thread_environment
from shared.errors import Misconfigured, MissingWeights
from shared.settings import KeepPolicy, Settings
from shared.worker.process import REFUSED_EXIT_CODE

IDLE_SECONDS = 0.05


class WorkerCrew:
    """`size` processes that work until `close`. A process that is killed is replaced, `restarts` times at most."""

    def __init__(self, home: Path, size: int, retain: KeepPolicy = "all", restarts: int = 3) -> None:
        self.home, self.retain = home, retain
        self._context = multiprocessing.get_context("spawn")
        self._lives = restarts
        self._members = [self._start_worker() for _ in range(size)]

    def replace_dead_workers(self) -> None:
        """Replace processes that died. Raises Misconfigured if one refused to work or too many were killed."""
        for index, (process, _) in enumerate(self._members):
            if process.is_alive():
                continue
            if process.exitcode == REFUSED_EXIT_CODE:
                raise Misconfigured((self.home / "logs" / f"{process.name}.refused").read_text())
            self._lives -= 1
            if self._lives < 0:
                raise Misconfigured(
                    f"Worker processes keep dying, the last one with exit code {process.exitcode}. Check that there is "
                    f"enough memory. The last lines in {self.home / 'logs'} name the record that it worked on."
                )
            self._members[index] = self._start_worker()

    def close(self, grace_seconds: float = 3.0) -> None:
        """Ask every process to stop. After the grace period, unfinished work is left to the next start."""
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
            target=_run_worker_process, args=(self.home, self.retain, theirs, name), name=name, daemon=True
        )
        with single_thread_environment(), hide_caller_script():
            process.start()
        theirs.close()
        return process, ours


def _run_worker_process(home: Path, retain: KeepPolicy, lifeline: Connection, name: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group, and the parent decides
    stopping = threading.Event()
    threading.Thread(target=_await_stop, args=(lifeline, stopping), daemon=True).start()
    log = home / "logs" / f"{name}.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    _log_to_file(log)
    try:
        _serve_stages(home, retain, stopping)
    except (Misconfigured, MissingWeights) as reason:
        log.with_suffix(".refused").write_text(str(reason))
        raise SystemExit(REFUSED_EXIT_CODE) from None


def _serve_stages(home: Path, retain: KeepPolicy, stopping: threading.Event) -> None:
    import cv2

    from merstream.embedded.run_folder import Workspace
    from merstream.stages import STAGES
    from shared.telemetry import Metrics
    from shared.worker import Worker
    from shared.worker.stage_handler import StageHandler

    cv2.setNumThreads(1)
    workspace, metrics = Workspace(home), Metrics()
    bus, store = workspace.open_bus(), workspace.open_store()
    # Every failed clip is reported at the end, and only data of this run are at risk. So no worker halts.
    settings = Settings(dead_letters_consecutive=0, dead_letters_ratio=0)
    workers = [Worker(StageHandler(stage, store, retain), bus, store, settings, metrics) for stage in reversed(STAGES)]
    for worker in workers:
        worker.stopping = stopping
    while not stopping.is_set():
        # Clips in work come before new ones. This keeps few large artifacts between stages.
        if not any(worker.step() for worker in workers):
            stopping.wait(IDLE_SECONDS)
    bus.close()


def _await_stop(lifeline: Connection, stopping: threading.Event) -> None:
    """Stop when the parent says so, and end when it is gone: an orphan would disturb the next start."""
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
