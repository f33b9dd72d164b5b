"""The document lies in `shared.prediction.model`: a stack's services write it too."""

from shared.prediction.model import (
    PREDICTION_SCHEMA,
    PredictedEvent,
    PredictedFace,
    PredictedFlag,
    Prediction,
    Recognition,
    UsedModel,
    VideoFacts,
)

__all__ = [
    "PREDICTION_SCHEMA",
    "PredictedEvent",
    "PredictedFace",
    "PredictedFlag",
    "Prediction",
    "Recognition",
    "UsedModel",
    "VideoFacts",
]
