"""The Prometheus metrics of predictions: the state of the videos, and what was recognised in them."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from shared.prediction.model import Prediction
from shared.video_progress import VIDEO_STATES


class VideoStateMetrics:
    """Where the videos in the bucket are."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.videos = Gauge(
            "mer_prediction_videos",
            f"Videos in the bucket by state: {', '.join(VIDEO_STATES)}",
            ["state"],
            registry=registry,
        )

    def set_video_counts(self, counts: Mapping[str, int]) -> None:
        for state in VIDEO_STATES:
            self.videos.labels(state).set(counts.get(state, 0))


class RecognitionMetrics:
    """What a recogniser has done."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.predictions = Counter("mer_predictions", "Predictions of videos written", registry=registry)
        self.events = Counter("mer_recognised_events", "Events by emotion, or `failed`", ["emotion"], registry=registry)

    def count_prediction(self, prediction: Prediction) -> None:
        self.predictions.inc()
        for event in prediction.events:
            self.events.labels(event.recognition.emotion if event.recognition else "failed").inc()
