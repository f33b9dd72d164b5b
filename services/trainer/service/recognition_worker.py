"""The group `recogniser`: a video whose events have features in, its prediction out.

Order: events.csv, prediction.json, message with the result, commit. If a worker is killed at any time, the request is
delivered again. Equal contents and an equal model give equal bytes, and a stored prediction.json is found again.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.trainer.recogniser.description import describe_model, describe_recognised_event
from services.trainer.recogniser.loading import load_recogniser_of_stack
from services.trainer.recogniser.recognition import Recogniser
from services.trainer.service.prediction_metrics import RecognitionMetrics
from shared.bus.topics import PREDICTIONS
from shared.errors import BadData
from shared.prediction.files import EVENTS_FILE, PREDICTION_FILE, format_events, format_prediction
from shared.prediction.model import PredictedEvent, Prediction
from shared.records import json_digest, quote_segment
from shared.store import NotStored, Store
from shared.telemetry import Metrics
from shared.video_records import (
    RECOGNISER_NAME,
    PredictionResult,
    RecognitionContents,
    RecognitionRequest,
    RefusedVideo,
)
from shared.worker import OutgoingMessage

log = logging.getLogger(__name__)

PREDICTION_VERSION = 1  # raise it when equal contents give another prediction


@dataclass
class RecognitionHandler:
    """A `shared.worker.MessageHandler`."""

    store: Store
    recognition_metrics: RecognitionMetrics
    device: str = "cpu"
    name: str = field(default=RECOGNISER_NAME, init=False)
    version: int = field(default=PREDICTION_VERSION, init=False)
    _loaded: tuple[str, Recogniser] | None = field(default=None, init=False)

    def handle(self, value: bytes, metrics: Metrics) -> tuple[str, Sequence[OutgoingMessage]]:
        """Recognise the events of a video, or find its prediction. An event that cannot be recognised stops no other.

        Raises BadData if the model, the contents of the request or the draft of the prediction cannot be read.
        """
        if not value:
            return "withdrawn", []
        request = RecognitionRequest.decode(value)
        try:
            answer = self._predict_video(request, self._load_model(request.video.plan.model), metrics)
        except BadData as reason:
            self.store.put(request.video.refusal_key, RefusedVideo(video=request.video, reason=str(reason)).encode())
            raise
        self.store.delete(request.video.refusal_key)
        return answer

    def _load_model(self, model: str) -> Recogniser:
        """The model that was used last stays loaded."""
        if self._loaded is None or self._loaded[0] != model:
            self._loaded = model, load_recogniser_of_stack(model, self.store, self.device)
        return self._loaded[1]

    def _predict_video(
        self, request: RecognitionRequest, recogniser: Recogniser, metrics: Metrics
    ) -> tuple[str, Sequence[OutgoingMessage]]:
        folder = json_digest([request.contents, recogniser.digest, PREDICTION_VERSION])[:32]
        prefix = f"predictions/{quote_segment(request.video.name)}/{folder}/"
        prediction = self._find_prediction(prefix)
        outcome = "computed" if prediction is None else "reused"
        if prediction is None:
            started = time.monotonic()
            prediction = self._recognise_video(request, recogniser)
            metrics.compute.labels(self.name).observe(time.monotonic() - started)
            self.store.put(prefix + EVENTS_FILE, format_events(prediction))
            self.store.put(prefix + PREDICTION_FILE, format_prediction(prediction))
            self.recognition_metrics.count_prediction(prediction)
        result = _describe_result(request, prediction, prefix, recogniser.digest)
        return outcome, [OutgoingMessage(PREDICTIONS.name, result.key, result.encode(), prefix + PREDICTION_FILE)]

    def _find_prediction(self, prefix: str) -> Prediction | None:
        try:
            return Prediction.decode(self.store.get(prefix + PREDICTION_FILE))
        except NotStored:
            return None

    def _recognise_video(self, request: RecognitionRequest, recogniser: Recogniser) -> Prediction:
        contents = RecognitionContents.decode(self.store.get(request.contents_key))
        draft = Prediction.decode(self.store.get(contents.spotted.draft_key))
        events = tuple(self._recognise_event(event, contents, recogniser) for event in draft.events)
        video = contents.spotted.video
        # The draft may be of an earlier plan: what is spotted does not depend on these.
        chosen = {"pipeline": video.pipeline.model_dump(mode="json"), "subject": video.plan.subject}
        settings = {**draft.settings, **chosen}
        return draft.model_copy(update={"events": events, "settings": settings, "model": describe_model(recogniser)})

    def _recognise_event(
        self, event: PredictedEvent, contents: RecognitionContents, recogniser: Recogniser
    ) -> PredictedEvent:
        record = contents.features.get(event.id)
        if record is None:
            reason = contents.failures.get(event.id, "it became no clip.")
            return event.model_copy(update={"failure": reason})
        return describe_recognised_event(event, record, self.store, recogniser, contents.spotted.video.plan.subject)


def _describe_result(request: RecognitionRequest, prediction: Prediction, prefix: str, model: str) -> PredictionResult:
    return PredictionResult(
        contents=request.contents,
        video=request.video,
        model=model,
        faces=len(prediction.faces),
        events=len(prediction.events),
        flagged=sum(bool(event.flags) for event in prediction.events),
        recognised=sum(event.recognition is not None for event in prediction.events),
        files={name: prefix + name for name in (PREDICTION_FILE, EVENTS_FILE)},
    )
