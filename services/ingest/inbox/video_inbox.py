"""Videos of one's own, uploaded into the bucket `videos`: each becomes a task on `mer.videos`.

The newest record of each video on `mer.videos` is the ledger. A scan compares it with the object. A new or changed
object is published, a removed one is withdrawn. A scan may be repeated or killed at any time: the effect is the same.
"""

import logging
import math
import threading
import uuid
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from services.ingest.catalogue.resolve import VIDEO_SUFFIXES
from services.ingest.inbox import names
from services.ingest.inbox.events import Upload
from services.ingest.inbox.metrics import VideoMetrics
from services.ingest.inbox.scan import Clock, is_future, server_clock
from services.ingest.inbox.scan_loop import ScanLoop
from shared.bus import Bus
from shared.bus.topics import SPOTTED, VIDEOS
from shared.prediction.pipeline import PREDICTION_PIPELINE
from shared.settings import Settings
from shared.store import ObjectInfo, Store
from shared.telemetry import Metrics
from shared.topic_views import record_view
from shared.video_records import Video

VIDEO_INBOX_NAME = "video-inbox"

log = logging.getLogger(__name__)


class VideoInbox(ScanLoop):
    """Videos are uploaded into `videos`. The clock is that of `store`, since ours may be wrong."""

    def __init__(
        self,
        videos: Store,
        store: Store,
        bus: Bus,
        settings: Settings | None = None,
        metrics: Metrics | None = None,
        stopping: threading.Event | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(VIDEO_INBOX_NAME, bus, settings or Settings(), metrics or Metrics(), stopping)
        self.videos, self.bus, self.clock = videos, bus, clock or server_clock(store)
        self.video_metrics = VideoMetrics(self.metrics.registry)
        self._announced = record_view(bus, VIDEOS.name, lambda key: Video)
        self._ignored: set[str] = set()

    def scan_bucket(self) -> float:
        now, announced = self.clock(), self._announced.read_newest()
        present, unsettled, due = set[str](), 0, math.inf
        for entry in self._list_videos():
            self.send_heartbeat()
            video = _describe_video(entry)
            present.add(video.key)
            wait = self.settings.inbox_settle_seconds - (now - entry.modified).total_seconds()
            if wait <= 0 or is_future(entry, now):
                self._announce_video(video, announced)
            else:
                due, unsettled = min(due, wait), unsettled + 1
        self._withdraw_removed(announced, present)
        self.video_metrics.set_video_counts(len(present) - unsettled, unsettled, len(self._ignored))
        return due

    def is_awaited(self, upload: Upload) -> bool:
        return upload.bucket == self.settings.videos_bucket and is_video(upload.key)

    def close(self) -> None:
        super().close()
        self._announced.close()

    def _list_videos(self) -> Iterator[ObjectInfo]:
        """The videos in the bucket. Another file is named in the log, once."""
        ignored: set[str] = set()
        for entry in self.videos.list_objects():
            if is_video(entry.key):
                yield entry
            elif not entry.key.endswith("/") and not names.is_junk(entry.key):
                ignored.add(entry.key)
        for key in sorted(ignored - self._ignored):
            kinds = " ".join(sorted(VIDEO_SUFFIXES))
            log.warning("%s: expected a video, got a file of another kind. It is ignored. Known: %s", key, kinds)
        self._ignored = ignored

    def _announce_video(self, video: Video, announced: Mapping[str, Video]) -> None:
        if not video.is_same_upload(announced.get(video.key)):
            self.bus.publish(VIDEOS.name, video.key, video.encode())
            log.info("video announced", extra={"mer": {"key": video.key, "bytes": video.size}})

    def _withdraw_removed(self, announced: Mapping[str, Video], present: set[str]) -> None:
        """Withdraw the records of removed videos. The task is last: without it nobody would repeat the rest."""
        for key in sorted(announced.keys() - present):
            self.bus.publish(SPOTTED.name, key, None)
            self.bus.publish(VIDEOS.name, key, None)
            log.info("video removed", extra={"mer": {"key": key}})


def is_video(key: str) -> bool:
    """Whether an object is a video by its name."""
    return not names.is_junk(key) and PurePosixPath(key).suffix.lower() in VIDEO_SUFFIXES


def _describe_video(entry: ObjectInfo) -> Video:
    return Video(name=entry.key, mark=entry.etag, size=entry.size, pipeline=PREDICTION_PIPELINE, trace=uuid.uuid4().hex)
