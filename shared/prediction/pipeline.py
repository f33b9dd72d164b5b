"""The settings under which the events of a video pass the image stages."""

from shared.records import Pipeline

EVENT_FACTORS = (2.0,)  # the model averages over factors, and each costs a second of flow per event
PREDICTION_PIPELINE = Pipeline(
    profile="corrected",
    overrides={
        "ingest": {"detector": "mediapipe"},
        "magnifier": {"factors": list(EVENT_FACTORS)},
        "roi-au": {"landmarks": "mediapipe"},
    },
)
"""MediaPipe's weights may be used by anybody. Few factors: a result comes soon."""
