"""The misclassified clips and their pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from services.trainer.data.features import Features
from services.trainer.folds.fold import FoldOutcome
from services.trainer.report import png_encoder
from services.trainer.report.model import MisclassifiedClip, MisclassifiedClips
from shared.images.flow_colour import colour_flow

MAX_SHOWN_CLIPS = 12
FULL_PERCENTILE = 98  # of the lengths of a clip's flow: longer vectors, outliers, have full colour too


@dataclass(frozen=True)
class ClipPictures:
    """Data URIs of a clip's pictures, None if missing. `full` is the length with full colour, in the flow's unit."""

    flow: str | None
    full: float | None
    frame: str | None


def misclassified_clips(
    features: Features, outcomes: Sequence[FoldOutcome], max_shown: int = MAX_SHOWN_CLIPS
) -> MisclassifiedClips:
    """Count the misclassified clips and list those with the highest probability of the wrong class."""
    wrong = [each for outcome in outcomes for each in _wrong_predictions(features, outcome)]
    wrong.sort(key=lambda each: (-each.probability, each.clip))
    tested = sum(len(outcome.names) for outcome in outcomes)
    return MisclassifiedClips(total=len(wrong), tested=tested, shown=tuple(wrong[:max_shown]))


def clip_pictures(features: Features, clip: str, factor: float, faces: bool = False) -> ClipPictures:
    """Pictures of a clip: its flow from onset to apex at the factor nearest to `factor`, and the middle frame of its AU
    clip. The frame only with `faces`."""
    row = features.names.tolist().index(clip)
    frame = None
    if faces and "clip" in features.arrays:
        frames = features.arrays["clip"][row]
        frame = png_encoder.png_data_uri(np.asarray(frames[len(frames) // 2]))
    if "maps" not in features.arrays:
        return ClipPictures(None, None, frame)
    flow = features.arrays["maps"][row, features.factor_index(factor), :2]
    full = float(np.percentile(np.hypot(*flow.astype(np.float64)), FULL_PERCENTILE))
    return ClipPictures(png_encoder.png_data_uri(colour_flow(flow, full)), full, frame)


def _wrong_predictions(features: Features, outcome: FoldOutcome) -> Iterator[MisclassifiedClip]:
    rows, classes = features.find_rows(outcome.names), features.classes
    for row, label, chances in zip(rows, outcome.predicted_classes, outcome.emotions, strict=True):
        emotion = features.emotions[row]
        if label != emotion:
            yield MisclassifiedClip(
                clip=str(features.names[row]),
                held_out=outcome.held_out,
                emotion=classes[emotion],
                predicted=classes[label],
                probability=chances[label],
                probability_of_emotion=chances[emotion],
            )
