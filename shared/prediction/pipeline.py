"""The settings under which the events of a video pass the image stages."""

from shared.records import Pipeline

PREDICTION_PIPELINE = Pipeline(
    profile="corrected",
    overrides={
        "ingest": {"detector": "mediapipe"},
        "roi-au": {"landmarks": "mediapipe"},
        "magnifier": {"factors": [2.0, 4.0]},
    },
)
"""MediaPipe's face also finds small and turned faces, and its licence is free. Few factors: a result comes soon."""
