"""Metrics of the inbox, beside those of every loop."""

from collections.abc import Mapping
from contextlib import suppress

from prometheus_client import CollectorRegistry, Gauge, Histogram

STATES = ("emitted", "faulty")
VIDEO_STATES = ("announced", "refused", "unsettled", "ignored")


class InboxMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.clips = Gauge("mer_inbox_clips", "Clips of a dataset, by state", ["dataset", "state"], registry=registry)
        self.scan = Histogram(
            "mer_inbox_scan_seconds",
            "Time of one scan of the inbox, including its work",
            registry=registry,
            buckets=(0.01, 0.1, 1, 10, 60, 600, 3600),
        )

    def set_clip_counts(self, dataset: str, emitted: int, faulty: int) -> None:
        for state, count in zip(STATES, (emitted, faulty), strict=True):
            self.clips.labels(dataset, state).set(count)

    def forget_dataset(self, dataset: str) -> None:
        for state in STATES:
            with suppress(KeyError):  # it was never set
                self.clips.remove(dataset, state)


class VideoMetrics:
    """Metrics of the bucket `videos`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.videos = Gauge("mer_videos", "Videos in the bucket, by state", ["state"], registry=registry)

    def set_video_counts(self, counts: Mapping[str, int]) -> None:
        """`refused` have a wrong plan, `unsettled` were uploaded just now, `ignored` are files that are no videos."""
        for state in VIDEO_STATES:
            self.videos.labels(state).set(counts.get(state, 0))
