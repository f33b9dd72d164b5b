"""The loop of the inbox: the scan of uploaded datasets."""

import threading

from services.ingest.inbox.archive_cache import ArchiveCache
from services.ingest.inbox.events import Upload
from services.ingest.inbox.guarded_reading import BucketOpener, GuardedReading
from services.ingest.inbox.listing import InboxListings
from services.ingest.inbox.metrics import InboxMetrics
from services.ingest.inbox.reconcile import Reconciler
from services.ingest.inbox.scan import Clock, InboxScan, server_clock
from services.ingest.inbox.scan_loop import ScanLoop
from services.ingest.inbox.visit_marks import VisitMarks
from shared.bus import Bus
from shared.connect import open_inbox
from shared.dataset_notices import dataset_view
from shared.inbox import names
from shared.scratch import ScratchFolder
from shared.settings import Settings
from shared.store import Store
from shared.telemetry import Metrics
from shared.worker.attempt_marks import AttemptMarks

INBOX_NAME = "inbox"


class Inbox(ScanLoop):
    """Datasets are uploaded into `inbox`, artifacts are stored in `store`. `open_bucket` is that of GuardedReading."""

    def __init__(
        self,
        inbox: Store,
        store: Store,
        bus: Bus,
        settings: Settings | None = None,
        metrics: Metrics | None = None,
        stopping: threading.Event | None = None,
        clock: Clock | None = None,
        open_bucket: BucketOpener = open_inbox,
    ) -> None:
        super().__init__(INBOX_NAME, bus, settings, metrics, stopping)
        self.inbox_metrics = InboxMetrics(self.metrics.registry)
        self.scratch = ScratchFolder(self.settings, INBOX_NAME, self.settings.inbox_bucket)
        limits = self.settings.inbox_archive_files, self.settings.inbox_archive_bytes
        self.reading = GuardedReading(self.settings, inbox, store, self.send_heartbeat, open_bucket)
        unpacked = ArchiveCache(self.scratch.kept, inbox, *limits, self.reading.unpack_archive)
        own_marks = AttemptMarks(store, INBOX_NAME, self.stopping, renews=True)
        marks = VisitMarks(own_marks, self.settings.surprise_attempts)
        reconciler = Reconciler(
            *(inbox, store, bus, self.scratch, unpacked, self.settings.inbox_patience_seconds),
            *(self.send_heartbeat, self.reading, marks.note_progress),
        )
        self._announced = dataset_view(bus, store)
        self.scanner = InboxScan(
            reconciler,
            self._announced,
            InboxListings(inbox, self.send_heartbeat),
            self.inbox_metrics,
            clock or server_clock(store),
            self.settings.inbox_settle_seconds,
            marks,
        )

    def scan_bucket(self) -> float:
        with self.inbox_metrics.scan.time():
            return self.scanner.scan_datasets()

    def note_upload(self, upload: Upload) -> bool:
        place = names.dataset_and_path(upload.key) if upload.bucket == self.settings.inbox_bucket else None
        if place:
            self.scanner.listings.note_change(place[0])
        return place is not None

    def close(self) -> None:
        super().close()
        self.reading.close()
        self._announced.close()
        self.scratch.close()
