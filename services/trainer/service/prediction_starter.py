"""The loop that asks for the recognition of a video once all its events have features.

Its actions depend only on the bus, and a repeated action has no further effect: the id of a request is a digest of its
contents, of the model and of the upload. So two loops ask for the same recognition.
"""

import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence

from services.trainer.service.polling_loop import PollingLoop
from services.trainer.service.prediction_metrics import VideoStateMetrics
from shared.bus.topics import RECOGNITIONS
from shared.pipeline_state import PipelineState
from shared.telemetry import Metrics
from shared.video_progress import WORKING_STAGES, EventProgress, VideoFollower, VideoProgress
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
        self._counts: Mapping[str, int] = {}

    def close(self) -> None:
        self._videos.close()

    def poll_topics(self) -> None:
        """Read the state, ask for what can be recognised, and set the gauges."""
        waiting = any(self._counts.get(state) for state in (*WORKING_STAGES, "lost"))
        idle_tasks = self._videos.find_idle_tasks() if waiting else frozenset()
        snapshot = self.state.read_snapshot()
        videos = self._videos.read_progress(snapshot.features, snapshot.failure_sentences, idle_tasks)
        self._count_videos(videos)
        for progress in videos:
            shipped = progress.video.plan.model == SHIPPED_NAME
            outdated = shipped and progress.result is not None and progress.result.model != self.model
            due = progress.state in ("recognising", "lost") or outdated
            if due and progress.spotted and progress.events and progress.events.is_ready:
                self._request_recognition(progress.spotted, progress.events)

    def _count_videos(self, videos: Sequence[VideoProgress]) -> None:
        counts = Counter[str](video.state for video in videos)
        if (lost := counts["lost"]) > self._counts.get("lost", 0):
            example = next(video for video in videos if video.state == "lost")
            log.warning("%d videos are lost, such as %s: %s", lost, example.video.name, example.reason)
        self._counts = counts
        self.video_metrics.set_video_counts(counts)

    def _request_recognition(self, spotted: SpottedVideo, events: EventProgress) -> None:
        contents = events.contents(spotted)
        chosen = spotted.video.plan.model
        model = self.model if chosen == SHIPPED_NAME else chosen
        request = RecognitionRequest(contents=contents.digest, model=model, video=spotted.video)
        if request.key in self._videos.read_requests():
            return
        if not self.state.store.exists(request.contents_key):
            self.state.store.put(request.contents_key, contents.encode())
        self.state.bus.publish(RECOGNITIONS.name, request.key, request.encode())
        fields = {"stage": self.name, "key": request.key, "video": spotted.video.name, "events": len(spotted.events)}
        log.info("recognition requested", extra={"mer": fields})
