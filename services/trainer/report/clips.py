"""Where the clips of outcomes stand among the features."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.features import Features
from services.trainer.folds.fold import FoldOutcome


def outcome_rows(features: Features, outcomes: Sequence[FoldOutcome]) -> list[int]:
    """Of the outcomes' clips, in the outcomes' order."""
    place = {name: row for row, name in enumerate(features.names.tolist())}
    return [place[name] for each in outcomes for name in each.names]


def clip_datasets(features: Features) -> NDArray[np.str_]:
    """[N] the dataset of each clip."""
    return np.array([subject.partition("/")[0] for subject in features.subjects.tolist()])
