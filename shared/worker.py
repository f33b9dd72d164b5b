"""The loop that every stage shares: take, reuse or compute, put, publish, commit.

Order, always: array -> manifest -> publish (acknowledged) -> commit. Killed between any two, the record is taken again
and what is there already is reused; so every effect happens once.
"""

import logging
import os
import random
import signal
import socket
import threading
from typing import Any

from shared.bus import Bus, Message, Revoked
from shared.connect import open_bus, open_store
from shared.errors import BadData, MerError, Misconfigured, MissingWeights, Unavailable
from shared.processing import process
from shared.records import Record
from shared.settings import Settings, load
from shared.stage import Stage
from shared.store import Store
from shared.telemetry import Health, Metrics, log_to_stderr
from shared.topics import dead_letters, topic

log = logging.getLogger(__name__)


class Abandoned(MerError):
    """The process is to stop while a record waits for its next attempt; nothing of it is committed."""


class Worker:
    """One member of a stage's group. `step` handles one message to its end; `run` does so until told to stop."""

    def __init__(
        self,
        stage: Stage[Any],
        bus: Bus,
        store: Store,
        settings: Settings | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.stage, self.bus, self.store = stage, bus, store
        self.settings = settings or Settings()
        self.metrics = metrics or Metrics()
        self.stopping = threading.Event()
        self.subscription = bus.subscribe(topic(stage.consumes).name, stage.name)

    def run(self) -> None:
        """Until `stopping` is set."""
        while not self.stopping.is_set():
            self.metrics.heartbeat.labels(self.stage.name).set_to_current_time()
            self.step(timeout=1.0)
        self.close()

    def close(self) -> None:
        self.subscription.close()

    def step(self, timeout: float = 0.0) -> bool:
        """Take one message and finish it. False if there was none within `timeout` seconds."""
        message = self.subscription.take(timeout)
        if message is None:
            return False
        try:
            outcome = self._persist(message)
            self.subscription.commit(message)
        except Abandoned:
            return True
        except Revoked as revoked:
            log.warning("%s", revoked, extra=self._fields(message))
            outcome = "revoked"
        self.metrics.records.labels(self.stage.name, outcome).inc()
        return True

    def _persist(self, message: Message) -> str:
        """Try until there is an outcome: trouble around the record is waited out, surprises are tried a few times."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._handle(message, attempt)
            except (Misconfigured, MissingWeights, Revoked):
                raise
            except Exception as error:
                if not _is_trouble(error) and attempt >= self.settings.surprise_attempts:
                    reason = f"Unexpected {type(error).__name__}: {error}. Replay the record after a fix of the stage."
                    log.exception("%s", reason, extra=self._fields(message))
                    return self._bury(message, reason, attempt)
                self._back_off(message, attempt, error)

    def _handle(self, message: Message, attempt: int) -> str:
        try:
            record, outcome = process(self.stage, self.store, Record.decode(message.value), self.metrics)
        except BadData as reason:
            log.warning("%s", reason, extra=self._fields(message))
            return self._bury(message, str(reason), attempt)
        if not self.subscription.owned(message):
            raise Revoked(f"{message.topic}/{message.partition}@{message.offset} was given to another member.")
        self.bus.publish(topic(self.stage.produces).name, record.key, record.encode())
        log.info("%s", outcome, extra=self._fields(message, artifact=record.artifact.key))
        return outcome

    def _bury(self, message: Message, reason: str, attempts: int) -> str:
        """To the dead letters: the original bytes, and why. Returns when that is durable."""
        headers = {
            **message.headers,
            "reason": reason,
            "stage": self.stage.name,
            "version": str(self.stage.version),
            "attempts": str(attempts),
            "origin": f"{message.topic}/{message.partition}@{message.offset}",
            "host": socket.gethostname(),
        }
        while True:
            try:
                self.bus.publish(dead_letters(self.stage.name).name, message.key, message.value, headers)
                return "dead-letter"
            except Exception as error:
                if not _is_trouble(error):
                    raise
                attempts += 1
                self._back_off(message, attempts, error)

    def _back_off(self, message: Message, attempt: int, error: Exception) -> None:
        self.metrics.retries.labels(self.stage.name).inc()
        most = min(self.settings.retry_cap_seconds, self.settings.retry_base_seconds * 2 ** min(attempt - 1, 20))
        wait = random.uniform(most / 2, most)
        log.warning("attempt %d failed, next in %.1f s: %r", attempt, wait, error, extra=self._fields(message))
        if self.stopping.wait(wait):
            raise Abandoned(f"stopped while {message.key} waited for attempt {attempt + 1}")

    def _fields(self, message: Message, **more: Any) -> dict[str, Any]:
        return {"mer": {"stage": self.stage.name, "key": message.key, "offset": message.offset, **more}}


def _is_trouble(error: Exception) -> bool:
    """Trouble around a record, which time may mend: broker, store, disk, memory (torch's too, without importing it)."""
    return isinstance(error, Unavailable | OSError | MemoryError) or type(error).__name__ in {
        "OutOfMemoryError",
        "OperationalError",
    }


def stop_on_signals(worker_stops: threading.Event, grace_seconds: float) -> None:
    """SIGTERM and SIGINT: stop taking; after the grace period the process ends, its work uncommitted, with code 0."""

    def stop(_signal: int, _frame: object) -> None:
        worker_stops.set()
        timer = threading.Timer(grace_seconds, os._exit, [0])
        timer.daemon = True
        timer.start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def main(stage: Stage[Any]) -> None:
    """A service's process: one worker of `stage`, its health endpoints, until SIGTERM."""
    settings = load()
    log_to_stderr(settings.log_level)
    worker = Worker(stage, open_bus(settings), open_store(settings), settings)
    health = Health(worker.metrics, settings.port, stalled=lambda: False)
    stop_on_signals(worker.stopping, settings.grace_seconds)
    health.start()
    health.ready = True
    worker.run()
    worker.bus.close()
    health.stop()
