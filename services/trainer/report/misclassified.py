"""The clips that were taken for something else, and what they look like."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from services.trainer.data.features import Features
from services.trainer.folds.fold import FoldOutcome
from services.trainer.report import png_encoder
from services.trainer.report.flow_colour import colour_flow

MOST_SHOWN_CLIPS = 12
FULL_PERCENTILE = 98  # of a clip's lengths: what is longer has full colour, so that one wild pixel pales nothing


def misclassified_clips(
    features: Features, outcomes: Sequence[FoldOutcome], most: int = MOST_SHOWN_CLIPS
) -> dict[str, Any]:
    """How many clips were misclassified, and of those the ones with the highest probability of the wrong class."""
    wrong = [each for outcome in outcomes for each in _wrong_predictions(features, outcome)]
    wrong.sort(key=lambda each: (-each["probability"], each["clip"]))
    return {"total": len(wrong), "of": sum(len(outcome.names) for outcome in outcomes), "shown": wrong[:most]}


def clip_pictures(features: Features, clip: str, factor: float, faces: bool = False) -> dict[str, Any]:
    """`flow`: the map from onset to apex at the factor nearest to `factor`, `full`: the length that has full colour;
    `frame`: the middle frame of the AU clip. None where the features hold none, and for frames unless `faces`."""
    row = features.names.tolist().index(clip)
    frame = None
    if faces and "clip" in features.arrays:
        frames = features.arrays["clip"][row]
        frame = png_encoder.png_data_uri(np.asarray(frames[len(frames) // 2]))
    if "maps" not in features.arrays:
        return {"flow": None, "full": None, "frame": frame}
    flow = features.arrays["maps"][row, features.factor_index(factor), :2]
    full = float(np.percentile(np.hypot(*flow.astype(np.float64)), FULL_PERCENTILE))
    return {"flow": png_encoder.png_data_uri(colour_flow(flow, full)), "full": full, "frame": frame}


def _wrong_predictions(features: Features, outcome: FoldOutcome) -> list[Mapping[str, Any]]:
    where, classes = features.find_rows(outcome.names), features.classes
    told = zip(where, outcome.predicted_classes, outcome.emotions, strict=True)
    return [
        {
            "clip": str(features.names[row]),
            "held_out": outcome.held_out,
            "emotion": classes[features.emotions[row]],
            "predicted": classes[pred],
            "probability": chances[pred],
            "probability_of_emotion": chances[features.emotions[row]],
        }
        for row, pred, chances in told
        if pred != features.emotions[row]
    ]
