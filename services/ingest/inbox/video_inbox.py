"""Videos of one's own, uploaded into the bucket `videos`: each becomes a task on `mer.videos`.

The newest record of each video on `mer.videos` is the ledger. A scan compares it with the object and its plan. A new or
changed video is published, a removed one is withdrawn. A scan may be repeated or killed at any time: the effect is the
same.
"""

import logging
import math
import threading
from collections import Counter
from collections.abc import Mapping

from services.ingest.inbox.events import Upload
from services.ingest.inbox.listing import is_future
from services.ingest.inbox.metrics import VideoMetrics
from services.ingest.inbox.scan import Clock, server_clock
from services.ingest.inbox.scan_loop import ScanLoop
from services.ingest.inbox.video_plans import VideoPlans
from shared.bus import Bus
from shared.bus.topics import FEATURES, SPOTTED, VIDEOS
from shared.inbox import names
from shared.inbox.names import VIDEO_SUFFIXES, is_plan, is_video, plan_keys
from shared.settings import Settings
from shared.store import ObjectInfo, Store
from shared.telemetry import Metrics
from shared.topic_views import record_view
from shared.video_records import SpottedVideo, Video

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
        super().__init__(VIDEO_INBOX_NAME, bus, settings, metrics, stopping)
        self.videos, self.bus, self.clock = videos, bus, clock or server_clock(store)
        self.video_metrics, self.plans = VideoMetrics(self.metrics.registry), VideoPlans(videos, store)
        self._announced = record_view(bus, VIDEOS.name, lambda key: Video)
        self._spotted = record_view(bus, SPOTTED.name, lambda key: SpottedVideo)
        self._ignored: set[str] = set()

    def scan_bucket(self) -> float:
        now, announced = self.clock(), self._announced.read_newest()
        present, counts, due = set[str](), Counter[str](), math.inf
        videos, plans = self._list_videos()
        for entry in videos:
            self.send_heartbeat()
            parts = (entry, *_plans_of(entry, plans))
            ages = [(now - each.modified).total_seconds() for each in parts if not is_future(each, now)]
            wait = self.settings.inbox_settle_seconds - min(ages, default=math.inf)
            if wait > 0:
                due, counts["unsettled"] = min(due, wait), counts["unsettled"] + 1
                present.update(key for key, video in announced.items() if video.name == entry.key)
                continue
            video = self.plans.describe_video(entry, plans)
            present.add(video.key)
            counts["refused" if video.fault else "announced"] += 1
            self._announce_video(video, announced)
        self._withdraw_removed(announced, present)
        counts["ignored"] = len(self._ignored)
        self.video_metrics.set_video_counts(counts)
        return due

    def note_upload(self, upload: Upload) -> bool:
        return upload.bucket == self.settings.videos_bucket and (is_video(upload.key) or is_plan(upload.key))

    def close(self) -> None:
        super().close()
        self._announced.close()
        self._spotted.close()

    def _list_videos(self) -> tuple[list[ObjectInfo], dict[str, ObjectInfo]]:
        """The videos in the bucket, and their plans by key. Another file is named in the log, once."""
        entries = {entry.key: entry for entry in self.videos.list_objects() if not names.is_junk(entry.key)}
        videos = [entry for key, entry in entries.items() if is_video(key)]
        plans = {key: entries[key] for video in videos for key in plan_keys(video.key) if key in entries}
        ignored = {key for key in entries if not (key.endswith("/") or is_video(key) or key in plans)}
        for key in sorted(ignored - self._ignored):
            kinds = " ".join(sorted(VIDEO_SUFFIXES))
            log.warning("%s: expected a video, got a file of another kind. It is ignored. Known: %s", key, kinds)
        self._ignored = ignored
        return videos, plans

    def _announce_video(self, video: Video, announced: Mapping[str, Video]) -> None:
        earlier = announced.get(video.key)
        if not video.is_same_upload(earlier):
            if earlier is not None:
                self._withdraw_outcome(earlier)
            self.bus.publish(VIDEOS.name, video.key, video.encode())
            fields = {"key": video.key, "bytes": video.size, "model": video.plan.model, "fault": video.fault}
            log.info("video announced", extra={"mer": fields})

    def _withdraw_removed(self, announced: Mapping[str, Video], present: set[str]) -> None:
        """Withdraw the records of removed videos. The task is last: without it nobody would repeat the rest."""
        for key in sorted(announced.keys() - present):
            self._withdraw_outcome(announced[key])
            self.bus.publish(VIDEOS.name, key, None)
            log.info("video removed", extra={"mer": {"key": key}})

    def _withdraw_outcome(self, video: Video) -> None:
        """Withdraw what was spotted in a video. Of its events' features as many as are known: a worker may be late."""
        spotted = self._spotted.read_newest().get(video.upload_key)
        for key in spotted.clip_keys.values() if spotted else ():
            self.bus.publish(FEATURES.name, key, None)
        self.bus.publish(SPOTTED.name, video.upload_key, None)


def _plans_of(video: ObjectInfo, plans: Mapping[str, ObjectInfo]) -> list[ObjectInfo]:
    return [plans[key] for key in plan_keys(video.key) if key in plans]
