"""The loop that every group of workers shares: take a message, handle it, publish what follows, commit.

The order is always: array -> manifest -> publish (acknowledged) -> commit. If a worker is killed between two of them,
the record is delivered again and existing artifacts are reused. So every effect happens once.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shared.bus import Bus, Message, PartitionRevoked
from shared.bus.dead_letters import DeadLetterLimit, WorkerHalted, bury_message
from shared.bus.topics import TOPIC_BY_GROUP
from shared.errors import BadData, Misconfigured, MissingWeights
from shared.memory_faults import describe_memory_fault, is_memory_fault
from shared.settings import Settings
from shared.store import Store
from shared.telemetry import Metrics
from shared.worker.attempt_marks import AttemptMarks
from shared.worker.child import ChildLost, UnexpectedFault, WorkAbandoned
from shared.worker.retry import backoff_seconds, is_transient, retry_until

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OutgoingMessage:
    """A message to publish, as the result of another message."""

    topic: str
    key: str
    value: bytes
    artifact: str = ""  # store key of the artifact that the message names, for the log


class MessageHandler(Protocol):
    """A group's work on one message. `name` is the group's name, a key of `shared.bus.topics.TOPIC_BY_GROUP`."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...

    def handle(self, value: bytes, metrics: Metrics) -> tuple[str, Sequence[OutgoingMessage]]:
        """The outcome in one word (`computed`, `reused`, ...) and the messages to publish.

        Everything that these messages name is in the store on return. Raises BadData if no attempt can succeed, and
        WorkAbandoned if the process is to stop. After any other error the message is handled again.
        """


def keep_waiting(error: Exception) -> bool:
    """The `ends_work` of a service: its operator repairs the disk, and the service continues by itself."""
    return False


def ignore_wait(group: str, attempt: int, error: Exception) -> None:
    """The WaitCallback that does nothing."""


WaitCallback = Callable[[str, int, Exception], None]  # group, number of the failed attempt, its error


class Worker:
    """One member of a handler's group. `step` handles one message, `run` handles messages until `stopping` is set.

    A transient error for which `ends_work` is true is raised. Before any other wait `on_wait` is called. `marks` counts
    the processes that ended in work on a message.
    """

    def __init__(
        self,
        handler: MessageHandler,
        bus: Bus,
        store: Store,
        settings: Settings | None = None,
        metrics: Metrics | None = None,
        stopping: threading.Event | None = None,
        ends_work: Callable[[Exception], bool] = keep_waiting,
        on_wait: WaitCallback = ignore_wait,
        marks: AttemptMarks | None = None,
    ) -> None:
        self.handler, self.bus, self.store = handler, bus, store
        self.ends_work, self.on_wait, self.marks = ends_work, on_wait, marks
        self.settings = settings or Settings()
        self.metrics = metrics or Metrics()
        self.stopping = stopping or threading.Event()
        self.halted = ""  # why it takes no more messages
        self._dead_letter_limit = DeadLetterLimit(self.settings.dead_letters_datasets)
        self.subscription = bus.subscribe(TOPIC_BY_GROUP[handler.name], handler.name)

    def run(self) -> None:
        """Handle messages until `stopping` is set.

        A worker that halts leaves the group and waits: after a restart it would only write more dead letters.
        """
        try:
            while not self.stopping.is_set():
                self.metrics.heartbeat.labels(self.handler.name).set_to_current_time()
                self.step(timeout=1.0)
        except WorkerHalted as reason:
            self.halted = str(reason)
            self.metrics.halted.labels(self.handler.name).set(1)
            log.error("%s", reason, extra={"mer": {"stage": self.handler.name}})
            self.close()
            self.stopping.wait()
        self.close()

    def is_ready(self) -> bool:
        """Whether it is a member of its group and takes messages."""
        return not self.halted and self.subscription.is_member()

    def is_stalled(self) -> bool:
        return not self.halted and self.subscription.is_stalled()

    def close(self) -> None:
        self.subscription.close()

    def step(self, timeout: float = 0.0) -> bool:
        """Take one message and finish it. Returns False if there was none within `timeout` seconds."""
        message = self.subscription.take_message(timeout)
        if message is None:
            return False
        try:
            outcome = self._finish_message(message)
        except WorkAbandoned:
            return True
        except PartitionRevoked as revoked:
            log.warning("%s", revoked, extra=self._log_fields(message))
            outcome = "revoked"
        self._dead_letter_limit.count_message(message, outcome == "dead-letter")
        self.metrics.records.labels(self.handler.name, outcome).inc()
        return True

    def _finish_message(self, message: Message) -> str:
        """Handle and commit a message, with a mark in the store meanwhile."""
        marks = self.marks
        if marks is None:
            outcome = self._handle_until_decided(message)
            self.subscription.commit(message)
            return outcome
        lost = retry_until(
            lambda attempt: marks.begin_work(message),
            lambda attempt, error: self._back_off(message, attempt, error),
        )
        with marks.watch_work(message, lambda: self.subscription.owns_message(message)):
            outcome = self._handle_until_decided(message, lost)
            self.subscription.commit(message)
        return outcome

    def _handle_until_decided(self, message: Message, lost: int = 0) -> str:
        """Attempt until there is an outcome: again after every transient error, a few times after others.

        Lack of memory is tried as often as a surprise: another process may end, but a frame may also be too large. An
        attempt in which a process was `lost` is a surprise, too.
        """
        attempt = surprises = lost
        if surprises >= self.settings.surprise_attempts:
            reason = (
                f"{message.key}: {lost} processes of {self.handler.name!r} ended in work on this record and could not "
                "say why (killed, out of memory, a machine that failed). Give the container more memory, or make the "
                "frames smaller or the clip shorter. Then replay the record."
            )
            return self._bury_until_durable(message, reason, attempt)
        while True:
            attempt += 1
            try:
                return self._handle_once(message, attempt)
            except (Misconfigured, MissingWeights, PartitionRevoked, WorkAbandoned, WorkerHalted):
                raise
            except Exception as error:
                surprises += is_memory_fault(error) or not is_transient(error)
                if surprises >= self.settings.surprise_attempts:
                    reason = self._describe_surprise(message, error)
                    log.exception("%s", reason, extra=self._log_fields(message))
                    return self._bury_until_durable(message, reason, attempt)
                self._back_off(message, attempt, error)

    def _describe_surprise(self, message: Message, error: Exception) -> str:
        if is_memory_fault(error):
            return f"{message.key}: {describe_memory_fault(error, f'stage {self.handler.name!r}')}"
        if isinstance(error, ChildLost):
            return (
                f"{message.key}: stage {self.handler.name!r} was given up {self.settings.surprise_attempts} times, the "
                f"last time since {error}. Give it more memory or time (MER_WORK_MEMORY_BYTES, MER_WORK_SECONDS), or "
                "make the frames smaller or the clip shorter. Then replay the record."
            )
        what = str(error) if isinstance(error, UnexpectedFault) else f"{type(error).__name__}: {error}"
        return f"Unexpected {what}. Replay the record after a fix of the stage."

    def _handle_once(self, message: Message, attempt: int) -> str:
        try:
            outcome, outputs = self.handler.handle(message.value, self.metrics)
        except BadData as reason:
            log.warning("%s", reason, extra=self._log_fields(message))
            return self._bury_until_durable(message, str(reason), attempt)
        if not self.subscription.owns_message(message):
            raise PartitionRevoked(message)
        for output in outputs:
            self.bus.publish(output.topic, output.key, output.value)
        made = ", ".join(output.artifact for output in outputs if output.artifact)
        log.info("%s", outcome, extra=self._log_fields(message, **({"artifact": made} if made else {})))
        return outcome

    def _bury_until_durable(self, message: Message, reason: str, attempts: int) -> str:
        """Write a dead letter with the original bytes and the reason. Returns when it is durable."""
        self._dead_letter_limit.check_limit(message, reason)
        name, version = self.handler.name, str(self.handler.version)
        headers = {"stage": name, "version": version, "attempts": str(attempts)}
        retry_until(
            lambda attempt: bury_message(self.bus, self.store, name, message, reason, headers),
            lambda attempt, error: self._back_off(message, attempt, error),
        )
        return "dead-letter"

    def _back_off(self, message: Message, attempt: int, error: Exception) -> None:
        if self.ends_work(error):
            raise error
        self.on_wait(self.handler.name, attempt, error)
        self.metrics.retries.labels(self.handler.name).inc()
        wait = backoff_seconds(self.settings, attempt)
        log.warning("attempt %d failed, next in %.1f s: %r", attempt, wait, error, extra=self._log_fields(message))
        if self.stopping.wait(wait):
            raise WorkAbandoned(f"stopped while {message.key} waited for attempt {attempt + 1}")

    def _log_fields(self, message: Message, **more: str) -> dict[str, Any]:
        return {"mer": {"stage": self.handler.name, "key": message.key, "offset": message.offset, **more}}
