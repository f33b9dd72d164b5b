"""The loop that asks for the recognition of a video once all its events have features.

Its actions depend only on the bus, and a repeated action has no further effect: the id of a request is a digest of its
contents. So two loops ask for the same recognition.
"""

import logging
import threading
from collections.abc import Mapping

from services.trainer.runs.state import PipelineState
from services.trainer.service.polling_loop import PollingLoop
from services.trainer.service.prediction_metrics import VIDEO_STATES, VideoStateMetrics
from shared.bus.topics import PREDICTIONS, RECOGNITIONS, SPOTTED, VIDEOS
from shared.records import Record
from shared.telemetry import Metrics
from shared.topic_views import record_view
from shared.video_progress import measure_event_progress
from shared.video_records import PredictionResult, RecognitionRequest, SpottedVideo, Video

log = logging.getLogger(__name__)

PREDICTION_STARTER_NAME = "prediction-starter"


class PredictionStarter(PollingLoop):
    """A poll asks for every video that is in the bucket, whose events are through, and that has no prediction of them.

    What was spotted in a video that was replaced or removed since then is left alone.
    """

    def __init__(
        self,
        state: PipelineState,
        metrics: Metrics,
        video_metrics: VideoStateMetrics,
        poll_seconds: float,
        stopping: threading.Event,
    ) -> None:
        super().__init__(PREDICTION_STARTER_NAME, metrics, poll_seconds, stopping)
        self.state, self.video_metrics = state, video_metrics
        self._videos = record_view(state.bus, VIDEOS.name, lambda key: Video)
        self._spotted = record_view(state.bus, SPOTTED.name, lambda key: SpottedVideo)
        self._requests = record_view(state.bus, RECOGNITIONS.name, lambda key: RecognitionRequest)
        self._predictions = record_view(state.bus, PREDICTIONS.name, lambda key: PredictionResult)

    def close(self) -> None:
        for view in (self._videos, self._spotted, self._requests, self._predictions):
            view.close()

    def poll_topics(self) -> None:
        """Read the state, ask for what can be recognised, and set the gauges."""
        videos, spotted = self._videos.read_newest(), self._spotted.read_newest()
        predictions = self._predictions.read_newest()
        counts = dict.fromkeys(VIDEO_STATES, 0)
        if videos:
            snapshot = self.state.read_snapshot()
            for key, video in videos.items():
                found = spotted.get(key)
                mine = found if found and video.is_same_upload(found.video) else None
                counts[self._advance_video(mine, snapshot.features, snapshot.failure_sentences, predictions)] += 1
        self.video_metrics.set_video_counts(counts)

    def _advance_video(
        self,
        spotted: SpottedVideo | None,
        features: Mapping[str, Record],
        failure_sentences: Mapping[tuple[str, str], str],
        predictions: Mapping[str, PredictionResult],
    ) -> str:
        """The state of a video. Asks for its recognition if that is the next step."""
        if spotted is None:
            return "unwatched"
        progress = measure_event_progress(spotted, features, failure_sentences)
        if not progress.is_ready:
            return "computed"
        contents = progress.contents(spotted)
        request = RecognitionRequest(id=contents.digest, video=spotted.video)
        result = predictions.get(spotted.key)
        if result is not None and result.request == request.id:
            return "predicted"
        if request.id not in self._requests.read_newest():
            if not self.state.store.exists(request.contents_key):
                self.state.store.put(request.contents_key, contents.encode())
            self.state.bus.publish(RECOGNITIONS.name, request.key, request.encode())
            fields = {"stage": self.name, "key": request.id, "video": spotted.video.name}
            log.info("recognition requested", extra={"mer": {**fields, "events": len(spotted.events)}})
        return "recognised"
