"""The worker processes of an embedded run. Each process serves every stage, the last stage first."""

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
from shared.telemetry import Metrics, log_as_json
from shared.worker import Worker
from shared.worker.process import REFUSED_EXIT_CODE

IDLE_SECONDS = 0.05


class WorkerCrew:
    """`size` processes that work until `close`. A process that is killed is replaced, at most `restarts` times."""

    def __init__(self, home: Path, size: int, retain: KeepPolicy = "all", restarts: int = 3) -> None:
        self.home, self.retain = home, retain
        self._context = multiprocessing.get_context("spawn")
        self._restarts_left = restarts
        self._members = [self._start_worker() for _ in range(size)]

    def replace_dead_workers(self) -> None:
        """Replace processes that died. Raises Misconfigured if one refused to work or too many were killed."""
        for index, (process, _) in enumerate(self._members):
            if process.is_alive():
                continue
            if process.exitcode == REFUSED_EXIT_CODE:
                raise Misconfigured((self.home / "logs" / f"{process.name}.refused").read_text())
            self._restarts_left -= 1
            if self._restarts_left < 0:
                raise Misconfigured(
                    f"Worker processes keep dying, the last with exit code {process.exitcode}. Check that there is "
                    f"enough memory. The last lines in {self.home / 'logs'} say what it worked on."
                )
            self._members[index] = self._start_worker()

    def close(self, grace_seconds: float = 3.0) -> None:
        """Stop all processes. Work that is not done after `grace_seconds` is dropped and repeated at the next start."""
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group, the parent decides
    stopping = threading.Event()
    threading.Thread(target=_await_stop, args=(lifeline, stopping), daemon=True).start()
    log = home / "logs" / f"{name}.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    log_as_json("INFO", logging.FileHandler(log, encoding="utf-8"))
    try:
        _serve_stages(home, retain, stopping)
    except (Misconfigured, MissingWeights) as reason:
        log.with_suffix(".refused").write_text(str(reason))
        raise SystemExit(REFUSED_EXIT_CODE) from None


def _serve_stages(home: Path, retain: KeepPolicy, stopping: threading.Event) -> None:
    import cv2

    from merstream.embedded.run_folder import Workspace
    from merstream.stages import STAGES
    from shared.worker.stage_handler import StageHandler

    cv2.setNumThreads(1)
    workspace, metrics = Workspace(home), Metrics()
    bus, store = workspace.open_bus(), workspace.open_store()
    # No limit: the run reports every failed clip at its end.
    settings = Settings(dead_letters_consecutive=0, dead_letters_ratio=0)
    workers = [
        Worker(StageHandler(stage, store, retain), bus, store, settings, metrics, stopping)
        for stage in reversed(STAGES)
    ]
    while not stopping.is_set():
        # To finish clips in work before new ones keeps few large artifacts between stages.
        if not any(worker.step() for worker in workers):
            stopping.wait(IDLE_SECONDS)
    bus.close()


def _await_stop(lifeline: Connection, stopping: threading.Event) -> None:
    """Stop when the parent says so. Exit at once if the parent is gone: it may be started again."""
    try:
        lifeline.recv()
        stopping.set()
    except (EOFError, OSError):
        os._exit(1)
