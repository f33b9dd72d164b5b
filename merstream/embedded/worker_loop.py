"""One worker process of an embedded run: it serves every stage, the last stage first, until it is told to stop."""

import logging
import os
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from merstream.embedded.worker_notes import ReportingHandler, SendNote, WorkerNote, describe_wait
from shared.errors import Misconfigured, MissingWeights, StorageRefused
from shared.settings import KeepPolicy, Settings
from shared.storage_faults import is_lasting_fault, stop_on_storage_fault
from shared.telemetry import Metrics, log_as_json
from shared.worker import Worker
from shared.worker.process import REFUSED_EXIT_CODE

IDLE_SECONDS = 0.05

log = logging.getLogger(__name__)


def run_worker_process(home: Path, retain: KeepPolicy, lifeline: Connection, name: str, deadly: dict[str, str]) -> None:
    """The body of the process. `deadly` maps digests of messages that are refused to the reason."""
    logging.raiseExceptions = False  # a log that cannot be written must not fill the terminal
    stopping = threading.Event()
    threading.Thread(target=_obey_parent, args=(lifeline, stopping, deadly), daemon=True).start()

    def send_note(note: WorkerNote) -> None:
        with suppress(OSError):  # the parent is gone: `_obey_parent` ends this process
            lifeline.send(note)

    try:
        with stop_on_storage_fault(home):
            _open_log(home / "logs" / f"{name}.jsonl")
            _serve_stages(home, retain, stopping, send_note, deadly)
    except StorageRefused as reason:
        send_note(WorkerNote("storage", sentence=str(reason)))
    except (Misconfigured, MissingWeights) as reason:
        send_note(WorkerNote("refused", sentence=str(reason)))
    except Exception:
        log.exception("the worker process ends")
        raise SystemExit(1) from None
    else:
        return
    raise SystemExit(REFUSED_EXIT_CODE)


def _open_log(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    log_as_json("INFO", logging.FileHandler(file, encoding="utf-8"))


def _serve_stages(
    home: Path, retain: KeepPolicy, stopping: threading.Event, send_note: SendNote, deadly: dict[str, str]
) -> None:
    import cv2

    from merstream.embedded.run_folder import Workspace
    from merstream.stages import STAGES
    from shared.worker.stage_handler import StageHandler

    cv2.setNumThreads(1)
    workspace, metrics = Workspace(home), Metrics()
    bus, store = workspace.open_bus(), workspace.open_store()
    # No limit: the run reports every failed clip at its end.
    settings = Settings(dead_letters_datasets=0)

    def report_wait(stage: str, attempt: int, error: Exception) -> None:
        send_note(WorkerNote("waiting", stage, sentence=describe_wait(error, attempt)))

    handlers = [ReportingHandler(StageHandler(stage, store, retain), send_note, deadly) for stage in reversed(STAGES)]
    workers = [
        Worker(handler, bus, store, settings, metrics, stopping, is_lasting_fault, report_wait) for handler in handlers
    ]
    while not stopping.is_set():
        # To finish clips in work before new ones keeps few large artifacts between stages.
        if not any(worker.step() for worker in workers):
            stopping.wait(IDLE_SECONDS)
    bus.close()


def _obey_parent(lifeline: Connection, stopping: threading.Event, deadly: dict[str, str]) -> None:
    """Take orders: new deadly messages, or to stop. Exit at once if the parent is gone: it may be started again."""
    try:
        while order := lifeline.recv():
            deadly.update(order)
        stopping.set()
    except (EOFError, OSError):
        os._exit(1)
