"""The loop of a bucket: a scan at the start, then at intervals, and earlier after a notification."""

import logging
import threading
import time
from abc import ABC, abstractmethod

from services.ingest.inbox import events
from shared.bus import Bus, Message, PartitionRevoked
from shared.bus.topics import BUCKET_EVENTS
from shared.errors import BadData
from shared.settings import Settings
from shared.telemetry import Metrics
from shared.worker import WorkAbandoned
from shared.worker.retry import backoff_seconds, is_transient

log = logging.getLogger(__name__)


class ScanLoop(ABC):
    """A `shared.worker.process.Loop`. `name` is that of its heartbeat, and of its group of notifications."""

    def __init__(
        self,
        name: str,
        bus: Bus,
        settings: Settings | None = None,
        metrics: Metrics | None = None,
        stopping: threading.Event | None = None,
    ) -> None:
        self.name, self.settings, self.metrics = name, settings or Settings(), metrics or Metrics()
        self.stopping = stopping or threading.Event()
        self.subscription = bus.subscribe(BUCKET_EVENTS.name, name)
        self._due, self._woken = 0.0, float("inf")  # time.monotonic of the next scan: by interval, by notification
        self._attempt = 0  # failed scans in a row
        self._scanned = False

    @abstractmethod
    def scan_bucket(self) -> float:
        """Scan once. Returns the seconds until something is due without an upload. Raises errors of stores and bus."""

    @abstractmethod
    def note_upload(self, upload: events.Upload) -> bool:
        """Remember an object that was put or removed. Returns whether it is one for the scan."""

    def run(self) -> None:
        """Scan until `stopping` is set."""
        try:
            while not self.stopping.is_set():
                self.step(timeout=1.0)
        except WorkAbandoned:
            log.info("stopped within a scan, the next start continues there")
        finally:
            self.close()

    def is_ready(self) -> bool:
        """Whether the first scan is done."""
        return self._scanned

    def is_stalled(self) -> bool:
        return self.subscription.is_stalled()

    def close(self) -> None:
        self.subscription.close()

    def step(self, timeout: float = 0.0) -> None:
        """Scan if it is time. Otherwise wait for a notification, for at most `timeout` seconds."""
        self.send_heartbeat()
        wait = min(self._due, self._woken) - time.monotonic()
        if wait <= 0:
            self._scan_patiently()
        else:
            self._listen_for_events(min(wait, timeout))

    def scan_now(self) -> float:
        """Scan at once. Returns the seconds until something is due without an upload."""
        due = self.scan_bucket()
        self._scanned = True
        return due

    def send_heartbeat(self) -> None:
        """Report that the loop works. Raises WorkAbandoned if the process is to stop."""
        self.metrics.heartbeat.labels(self.name).set_to_current_time()
        if self.stopping.is_set():
            raise WorkAbandoned("stopped within a scan")

    def _scan_patiently(self) -> None:
        self._woken = float("inf")
        try:
            wait = min(self.scan_now(), self.settings.inbox_scan_seconds)
            self._attempt = 0
        except Exception as error:
            if not is_transient(error):
                raise
            self._attempt += 1
            self.metrics.retries.labels(self.name).inc()
            wait = backoff_seconds(self.settings, self._attempt)
            log.warning("scan %d of %s failed, next in %.1f s: %r", self._attempt, self.name, wait, error)
        self._due = time.monotonic() + wait

    def _listen_for_events(self, timeout: float) -> None:
        """Schedule a scan after notifications, when their uploads have settled. The last of them counts."""
        batch = self.subscription.take_batch(timeout)
        if not batch:
            return
        noted = [upload for upload in set().union(*map(_read_notification, batch)) if self.note_upload(upload)]
        if noted:
            self._woken = time.monotonic() + self.settings.inbox_settle_seconds
        try:
            self.subscription.commit(batch[-1])
        except PartitionRevoked as revoked:
            log.warning("%s", revoked)


def _read_notification(message: Message) -> set[events.Upload]:
    try:
        return events.notified_uploads(message.value)
    except BadData as fault:
        log.warning("%s", fault)
        return set()
