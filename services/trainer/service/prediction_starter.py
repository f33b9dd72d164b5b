"""The loop that asks for the recognition of a video once all its events have features.

Its actions depend only on the bus, and a repeated action has no further effect: the id of a request is a digest of its
contents, of the model and of the upload. So two loops ask for the same recognition.
"""

import logging
import threading
from collections import Counter

from services.trainer.service.polling_loop import PollingLoop
from services.trainer.service.prediction_metrics import VideoStateMetrics
from shared.bus.topics import RECOGNITIONS
from shared.pipeline_state import PipelineState
from shared.telemetry import Metrics
from shared.topic_views import record_view
from shared.video_progress import EventProgress, VideoFollower
from shared.video_records import SHIPPED_NAME, RecognitionRequest, SpottedVideo

log = logging.getLogger(__name__)

PREDICTION_STARTER_NAME = "prediction-starter"


class PredictionStarter(PollingLoop):
    """A poll asks for every video that is in the bucket, whose events are through, and that has no prediction of them
    by the present model. `model` is the digest of the shipped one. A run is named by its id, which never changes.

    What was spotted in a video that was replaced or removed since then is left alone.
    """

    def __init__(
        self,
        state: PipelineState,
        metrics: Metrics,
        video_metrics: VideoStateMetrics,
        model: str,
        poll_seconds: float,
        stopping: threading.Event,
    ) -> None:
        super().__init__(PREDICTION_STARTER_NAME, metrics, poll_seconds, stopping)
        self.state, self.video_metrics, self.model = state, video_metrics, model
        self._videos = VideoFollower(state.bus, state.store)
        self._requests = record_view(state.bus, RECOGNITIONS.name, lambda key: RecognitionRequest)

    def close(self) -> None:
        self._videos.close()
        self._requests.close()

    def poll_topics(self) -> None:
        """Read the state, ask for what can be recognised, and set the gauges."""
        snapshot = self.state.read_snapshot()
        videos = self._videos.read_progress(snapshot.features, snapshot.failure_sentences)
        self.video_metrics.set_video_counts(Counter(video.state for video in videos))
        for progress in videos:
            shipped = progress.video.plan.model == SHIPPED_NAME
            outdated = shipped and progress.result is not None and progress.result.model != self.model
            if (progress.state == "recognising" or outdated) and progress.spotted and progress.events:
                self._request_recognition(progress.spotted, progress.events)

    def _request_recognition(self, spotted: SpottedVideo, events: EventProgress) -> None:
        contents = events.contents(spotted)
        chosen = spotted.video.plan.model
        model = self.model if chosen == SHIPPED_NAME else chosen
        request = RecognitionRequest(contents=contents.digest, model=model, video=spotted.video)
        if request.key in self._requests.read_newest():
            return
        if not self.state.store.exists(request.contents_key):
            self.state.store.put(request.contents_key, contents.encode())
        self.state.bus.publish(RECOGNITIONS.name, request.key, request.encode())
        fields = {"stage": self.name, "key": request.key, "video": spotted.video.name, "events": len(spotted.events)}
        log.info("recognition requested", extra={"mer": fields})
