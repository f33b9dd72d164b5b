"""What a recogniser says, as the document of a prediction has it."""

from dataclasses import asdict

from services.trainer.recogniser.recognition import RecognisedExpression, Recogniser
from shared.errors import BadData
from shared.prediction.model import PredictedEvent, Recognition, UsedModel
from shared.records import Record
from shared.store import Store
from shared.worker.stage_handler import read_artifact


def describe_recognised_event(
    event: PredictedEvent, record: Record, store: Store, recogniser: Recogniser, subject: str | None
) -> PredictedEvent:
    """The event with what the recogniser says of its features, or why it says nothing."""
    try:
        arrays = read_artifact(store, record.artifact, record.sample.clip)
        said = recogniser.recognise_features(arrays, subject=subject)
    except BadData as reason:
        return event.model_copy(update={"failure": str(reason)})
    return event.model_copy(update={"recognition": describe_expression(said)})


def describe_expression(said: RecognisedExpression) -> Recognition:
    """The expression as the document has it."""
    return Recognition.model_validate(asdict(said))


def describe_model(recogniser: Recogniser) -> UsedModel:
    """The model as the document has it."""
    return UsedModel(name=recogniser.name, digest=recogniser.digest, trained_on=recogniser.trained_on)
