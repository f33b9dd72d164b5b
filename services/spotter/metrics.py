"""The Prometheus metrics of the spotter, beside those of every worker."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from shared.prediction.model import Prediction


class SpotterMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.seconds = Counter("mer_watched_seconds", "Seconds of video watched", registry=registry)
        self.faces = Counter("mer_watched_faces", "Faces followed in videos", registry=registry)
        self.events = Counter(
            "mer_spotted_events",
            "Events spotted, by kind and by whether a flag doubts them",
            ["kind", "flagged"],
            registry=registry,
        )
        self.share = Gauge("mer_watched_share", "Share of the present video that is watched, 0 to 1", registry=registry)

    def count_video(self, draft: Prediction) -> None:
        self.seconds.inc(draft.video.seconds)
        self.faces.inc(len(draft.faces))
        for event in draft.events:
            self.events.labels(event.kind, "yes" if event.flags else "no").inc()
