"""What a recogniser says, as the document of a prediction has it."""

from dataclasses import asdict

from services.trainer.recogniser.recognition import RecognisedExpression, Recogniser
from shared.prediction.model import Recognition, UsedModel


def describe_expression(said: RecognisedExpression) -> Recognition:
    """The expression as the document has it."""
    return Recognition.model_validate(asdict(said))


def describe_model(recogniser: Recogniser) -> UsedModel:
    """The model as the document has it."""
    return UsedModel(name=recogniser.name, digest=recogniser.digest, trained_on=recogniser.trained_on)
