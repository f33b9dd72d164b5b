"""The loop of the inbox: a scan at the start, then at intervals, and earlier after a notification."""

import logging
import threading
import time

from services.ingest.inbox import events
from services.ingest.inbox.archive_cache import ArchiveCache
from services.ingest.inbox.metrics import InboxMetrics
from services.ingest.inbox.reconcile import Reconciler
from services.ingest.inbox.scan import Clock, InboxScan, server_clock
from services.ingest.inbox.scratch import ScratchFolder
from shared.bus import Bus, PartitionRevoked
from shared.bus.topics import BUCKET_EVENTS, DATASETS
from shared.errors import BadData
from shared.records import Dataset
from shared.settings import Settings
from shared.store import Store
from shared.telemetry import Metrics
from shared.topic_views import record_view
from shared.worker import WorkAbandoned
from shared.worker.retry import backoff_seconds, is_transient

INBOX_NAME = "inbox"

log = logging.getLogger(__name__)


class Inbox:
    """A `shared.worker.process.Loop`. Datasets are uploaded into `inbox`, artifacts are stored in `store`."""

    def __init__(
        self,
        inbox: Store,
        store: Store,
        bus: Bus,
        settings: Settings | None = None,
        metrics: Metrics | None = None,
        stopping: threading.Event | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.settings, self.metrics = settings or Settings(), metrics or Metrics()
        self.stopping = stopping or threading.Event()
        self.inbox_metrics = InboxMetrics(self.metrics.registry)
        self.scratch = ScratchFolder(self.settings)
        limits = self.settings.inbox_archive_files, self.settings.inbox_archive_bytes
        unpacked = ArchiveCache(self.scratch.archives, inbox, *limits, self._send_heartbeat)
        reconciler = Reconciler(
            inbox, store, bus, self.scratch, unpacked, self.settings.inbox_patience_seconds, self._send_heartbeat
        )
        self._announced = record_view(bus, DATASETS.name, lambda key: Dataset)
        self.scanner = InboxScan(
            reconciler,
            self._announced,
            self.inbox_metrics,
            clock or server_clock(store),
            self.settings.inbox_settle_seconds,
        )
        self.subscription = bus.subscribe(BUCKET_EVENTS.name, INBOX_NAME)
        self._due, self._woken = 0.0, float("inf")  # time.monotonic of the next scan: by interval, by notification
        self._attempt = 0  # failed scans in a row
        self._scanned = False

    def run(self) -> None:
        """Scan until `stopping` is set."""
        try:
            while not self.stopping.is_set():
                self.step(timeout=1.0)
        except WorkAbandoned:
            log.info("stopped within a dataset, the next start continues there")
        finally:
            self.close()

    def is_ready(self) -> bool:
        """Whether the first scan is done."""
        return self._scanned

    def is_stalled(self) -> bool:
        return self.subscription.is_stalled()

    def close(self) -> None:
        self.subscription.close()
        self._announced.close()
        self.scratch.close()

    def step(self, timeout: float = 0.0) -> None:
        """Scan if it is time. Otherwise wait for a notification, for at most `timeout` seconds."""
        self._send_heartbeat()
        wait = min(self._due, self._woken) - time.monotonic()
        if wait <= 0:
            self._scan_patiently()
        else:
            self._listen_for_events(min(wait, timeout))

    def scan_now(self) -> float:
        """Scan at once. Returns the seconds until a dataset is due without an upload.

        Raises errors of stores and bus.
        """
        with self.inbox_metrics.scan.time():
            due = self.scanner.scan_datasets()
        self._scanned = True
        return due

    def _scan_patiently(self) -> None:
        self._woken = float("inf")
        try:
            wait = min(self.scan_now(), self.settings.inbox_scan_seconds)
            self._attempt = 0
        except Exception as error:
            if not is_transient(error):
                raise
            self._attempt += 1
            self.metrics.retries.labels(INBOX_NAME).inc()
            wait = backoff_seconds(self.settings, self._attempt)
            log.warning("scan %d failed, next in %.1f s: %r", self._attempt, wait, error)
        self._due = time.monotonic() + wait

    def _listen_for_events(self, timeout: float) -> None:
        """Schedule a scan after a notification, when its dataset has settled. The last of many notifications counts."""
        message = self.subscription.take_message(timeout)
        if message is None:
            return
        try:
            if events.notified_datasets(message.value):
                self._woken = time.monotonic() + self.settings.inbox_settle_seconds
        except BadData as fault:
            log.warning("%s", fault)
        try:
            self.subscription.commit(message)
        except PartitionRevoked as revoked:
            log.warning("%s", revoked)

    def _send_heartbeat(self) -> None:
        """Report that the loop works. Raises WorkAbandoned if the process is to stop."""
        self.metrics.heartbeat.labels(INBOX_NAME).set_to_current_time()
        if self.stopping.is_set():
            raise WorkAbandoned("stopped within a dataset")
