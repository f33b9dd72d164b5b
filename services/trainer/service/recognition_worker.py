"""The group `recogniser`: a video whose events have features in, its prediction out.

Order: events.csv, prediction.json, message with the result, commit. If a worker is killed at any time, the request is
delivered again. Equal contents and an equal model give equal bytes, and a stored prediction.json is found again.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from services.trainer.recogniser.description import describe_expression, describe_model
from services.trainer.recogniser.loading import load_recogniser
from services.trainer.recogniser.recognition import Recogniser
from services.trainer.service.prediction_metrics import RecognitionMetrics
from shared.bus.topics import PREDICTIONS
from shared.errors import BadData
from shared.prediction.files import EVENTS_FILE, PREDICTION_FILE, format_events, format_prediction
from shared.prediction.model import PredictedEvent, Prediction, Recognition
from shared.records import Record, json_digest, quote_segment
from shared.store import NotStored, Store
from shared.telemetry import Metrics
from shared.video_records import PredictionResult, RecognitionContents, RecognitionRequest
from shared.worker import OutgoingMessage
from shared.worker.stage_handler import read_artifact

log = logging.getLogger(__name__)

PREDICTION_VERSION = 1  # raise it when equal contents give another prediction


@dataclass
class RecognitionHandler:
    """A `shared.worker.MessageHandler`."""

    store: Store
    recognition_metrics: RecognitionMetrics
    device: str = "cpu"
    load_model: Callable[[], Recogniser] | None = None
    name: str = field(default="recogniser", init=False)
    version: int = field(default=PREDICTION_VERSION, init=False)

    @cached_property
    def recogniser(self) -> Recogniser:
        return self.load_model() if self.load_model else load_recogniser(device=self.device)

    def handle(self, value: bytes, metrics: Metrics) -> tuple[str, Sequence[OutgoingMessage]]:
        """Recognise the events of a video, or find its prediction. An event that cannot be recognised stops no other.

        Raises BadData if the contents of the request or the draft of the prediction cannot be read.
        """
        if not value:
            return "withdrawn", []
        request = RecognitionRequest.decode(value)
        prefix = f"predictions/{quote_segment(request.video.name)}/{self._prediction_id(request)}/"
        prediction = self._find_prediction(prefix)
        outcome = "computed" if prediction is None else "reused"
        if prediction is None:
            started = time.monotonic()
            prediction = self._recognise_video(request)
            metrics.compute.labels(self.name).observe(time.monotonic() - started)
            self.store.put(prefix + EVENTS_FILE, format_events(prediction))
            self.store.put(prefix + PREDICTION_FILE, format_prediction(prediction))
            self.recognition_metrics.count_prediction(prediction)
        result = self._describe_result(request, prediction, prefix)
        return outcome, [OutgoingMessage(PREDICTIONS.name, result.key, result.encode(), prefix + PREDICTION_FILE)]

    def _prediction_id(self, request: RecognitionRequest) -> str:
        return json_digest([request.contents, self.recogniser.digest, PREDICTION_VERSION])[:32]

    def _find_prediction(self, prefix: str) -> Prediction | None:
        try:
            return Prediction.decode(self.store.get(prefix + PREDICTION_FILE))
        except NotStored:
            return None

    def _recognise_video(self, request: RecognitionRequest) -> Prediction:
        contents = RecognitionContents.decode(self.store.get(request.contents_key))
        draft = Prediction.decode(self.store.get(contents.spotted.draft_key))
        events = tuple(self._recognise_event(event, contents) for event in draft.events)
        return draft.model_copy(update={"events": events, "model": describe_model(self.recogniser)})

    def _recognise_event(self, event: PredictedEvent, contents: RecognitionContents) -> PredictedEvent:
        record = contents.features.get(event.id)
        if record is None:
            reason = contents.failures.get(event.id, "it became no clip.")
            return event.model_copy(update={"failure": reason})
        try:
            return event.model_copy(update={"recognition": self._recognise_features(record)})
        except BadData as reason:
            return event.model_copy(update={"failure": str(reason)})

    def _recognise_features(self, record: Record) -> Recognition:
        arrays = read_artifact(self.store, record.artifact, record.sample.identity)
        return describe_expression(self.recogniser.recognise_features(arrays))

    def _describe_result(self, request: RecognitionRequest, prediction: Prediction, prefix: str) -> PredictionResult:
        return PredictionResult(
            contents=request.contents,
            video=request.video,
            model=self.recogniser.digest,
            faces=len(prediction.faces),
            events=len(prediction.events),
            flagged=sum(bool(event.flags) for event in prediction.events),
            recognised=sum(event.recognition is not None for event in prediction.events),
            files={name: prefix + name for name in (PREDICTION_FILE, EVENTS_FILE)},
        )
