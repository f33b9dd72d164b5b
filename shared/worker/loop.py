"""The loop that every group of workers shares: take, work (reuse or compute, put), publish, commit.

Order, always: array -> manifest -> publish (acknowledged) -> commit. Killed between any two, the record is taken again
and what is there already is reused; so every effect happens once.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shared.bus import Bus, Message, Revoked
from shared.bus.dead_letters import Halted, Limit, bury
from shared.bus.topics import GROUPS
from shared.errors import BadData, MerError, Misconfigured, MissingWeights
from shared.settings import Settings
from shared.store import Store
from shared.telemetry import Metrics
from shared.worker.retry import is_trouble, wait_seconds

log = logging.getLogger(__name__)


class Abandoned(MerError):
    """The process is to stop while a record waits for its next attempt; nothing of it is committed."""


@dataclass(frozen=True)
class Output:
    """One message that follows from another."""

    topic: str
    key: str
    value: bytes
    artifact: str = ""  # key of what it is about, for the log


class Task(Protocol):
    """What a group does with a message. `name` is the group's, a key of `shared.bus.topics.GROUPS`."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...

    def work(self, value: bytes, metrics: Metrics) -> tuple[str, Sequence[Output]]:
        """The outcome in one word (`computed`, `reused`, ...) and what to publish; its effects in the store are there.

        Raises BadData for what will never work, anything else is tried again.
        """


class Worker:
    """One member of a task's group. `step` handles one message to its end; `run` does so until told to stop."""

    def __init__(
        self,
        task: Task,
        bus: Bus,
        store: Store,
        settings: Settings | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.task, self.bus, self.store = task, bus, store
        self.settings = settings or Settings()
        self.metrics = metrics or Metrics()
        self.stopping = threading.Event()
        self.halted = ""  # why it takes nothing more
        self._limit = Limit(self.settings.dead_letters_consecutive, self.settings.dead_letters_ratio)
        self.subscription = bus.subscribe(GROUPS[task.name], task.name)

    def run(self) -> None:
        """Until `stopping` is set. Halted, it leaves the group and waits: a restart by itself would bury on."""
        try:
            while not self.stopping.is_set():
                self.metrics.heartbeat.labels(self.task.name).set_to_current_time()
                self.step(timeout=1.0)
        except Halted as reason:
            self.halted = str(reason)
            self.metrics.halted.labels(self.task.name).set(1)
            log.error("%s", reason, extra={"mer": {"stage": self.task.name}})
            self.close()
            self.stopping.wait()
        self.close()

    def ready(self) -> bool:
        """Whether it is a member of its group and takes messages."""
        return not self.halted and self.subscription.joined()

    def stalled(self) -> bool:
        return not self.halted and self.subscription.stalled()

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
        self._limit.count(outcome == "dead-letter")
        self.metrics.records.labels(self.task.name, outcome).inc()
        return True

    def _persist(self, message: Message) -> str:
        """Try until there is an outcome: trouble around the record is waited out, surprises are tried a few times."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._handle(message, attempt)
            except (Misconfigured, MissingWeights, Revoked, Halted):
                raise
            except Exception as error:
                if not is_trouble(error) and attempt >= self.settings.surprise_attempts:
                    reason = f"Unexpected {type(error).__name__}: {error}. Replay the record after a fix of the stage."
                    log.exception("%s", reason, extra=self._fields(message))
                    return self._bury(message, reason, attempt)
                self._back_off(message, attempt, error)

    def _handle(self, message: Message, attempt: int) -> str:
        try:
            outcome, outputs = self.task.work(message.value, self.metrics)
        except BadData as reason:
            log.warning("%s", reason, extra=self._fields(message))
            return self._bury(message, str(reason), attempt)
        if not self.subscription.owned(message):
            raise Revoked(f"{message.topic}/{message.partition}@{message.offset} was given to another member.")
        for output in outputs:
            self.bus.publish(output.topic, output.key, output.value)
        made = ", ".join(output.artifact for output in outputs if output.artifact)
        log.info("%s", outcome, extra=self._fields(message, **({"artifact": made} if made else {})))
        return outcome

    def _bury(self, message: Message, reason: str, attempts: int) -> str:
        """To the dead letters: the original bytes, and why. Returns when that is durable."""
        self._limit.check(reason)
        about = {"stage": self.task.name, "version": str(self.task.version), "attempts": str(attempts)}
        while True:
            try:
                bury(self.bus, self.store, self.task.name, message, reason, about)
                return "dead-letter"
            except Exception as error:
                if not is_trouble(error):
                    raise
                attempts += 1
                self._back_off(message, attempts, error)

    def _back_off(self, message: Message, attempt: int, error: Exception) -> None:
        self.metrics.retries.labels(self.task.name).inc()
        wait = wait_seconds(self.settings, attempt)
        log.warning("attempt %d failed, next in %.1f s: %r", attempt, wait, error, extra=self._fields(message))
        if self.stopping.wait(wait):
            raise Abandoned(f"stopped while {message.key} waited for attempt {attempt + 1}")

    def _fields(self, message: Message, **more: str) -> dict[str, Any]:
        return {"mer": {"stage": self.task.name, "key": message.key, "offset": message.offset, **more}}
