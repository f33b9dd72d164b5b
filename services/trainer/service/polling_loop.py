"""A loop that polls the topics at intervals and starts what is ready."""

import logging
import threading
from abc import ABC, abstractmethod

from shared.errors import Misconfigured, MissingWeights
from shared.telemetry import Metrics
from shared.worker.retry import is_transient

log = logging.getLogger(__name__)


class PollingLoop(ABC):
    """A `shared.worker.process.Loop`. `name` is that of its heartbeat."""

    def __init__(self, name: str, metrics: Metrics, poll_seconds: float, stopping: threading.Event) -> None:
        self.name, self.metrics, self.poll_seconds, self.stopping = name, metrics, poll_seconds, stopping
        self._last_poll_succeeded = False

    @abstractmethod
    def poll_topics(self) -> None:
        """Read the state once, and start what is ready."""

    @abstractmethod
    def close(self) -> None:
        """Close the views of the topics."""

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self.metrics.heartbeat.labels(self.name).set_to_current_time()
                self.try_poll()
                self.stopping.wait(self.poll_seconds)
        finally:
            self.close()

    def is_ready(self) -> bool:
        """Whether the last poll succeeded."""
        return self._last_poll_succeeded

    def is_stalled(self) -> bool:
        return False

    def try_poll(self) -> None:
        """Poll once. An error is logged and counted: it must not stop the work of the process's other loops.

        Raises Misconfigured and MissingWeights: another poll cannot help.
        """
        try:
            self.poll_topics()
            self._last_poll_succeeded = True
        except (Misconfigured, MissingWeights):
            raise
        except Exception as error:
            log.warning("polling of %s failed: %r", self.name, error, exc_info=None if is_transient(error) else error)
            self.metrics.retries.labels(self.name).inc()
            self._last_poll_succeeded = False
