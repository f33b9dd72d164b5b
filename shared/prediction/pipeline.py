"""The settings under which the events of a video pass the image stages."""

from shared.records import Pipeline

EVENT_FACTORS = (2.0,)  # the model averages over factors, and each costs a second of flow per event
# px of motion between two frames, up to which they are blended: always. RIFE would delay every
# result, and onset and apex, which the shipped model's map compares, are recorded frames.
BLEND_BELOW = 1000.0
PREDICTION_PIPELINE = Pipeline(
    profile="corrected",
    overrides={
        "ingest": {"detector": "mediapipe"},
        "interpolator": {"blend_below": BLEND_BELOW},
        "magnifier": {"factors": list(EVENT_FACTORS)},
        "roi-au": {"landmarks": "mediapipe"},
    },
)
"""MediaPipe's weights may be used by anybody. Few factors: a result comes soon."""
