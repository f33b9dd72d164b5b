"""Outcomes of a run, and where their clips are among the features."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.features import Features
from services.trainer.folds.fold import FoldOutcome

# By learner, the model first, and by seed, the run's own first.
OutcomesByLearner = Mapping[str, Mapping[int, Sequence[FoldOutcome]]]


def outcome_rows(features: Features, outcomes: Sequence[FoldOutcome]) -> list[int]:
    """The rows of the outcomes' clips among the features, in the outcomes' order."""
    row_by_name = {name: row for row, name in enumerate(features.names.tolist())}
    return [row_by_name[name] for each in outcomes for name in each.names]


def clip_datasets(features: Features) -> NDArray[np.str_]:
    """[N] the dataset of each clip."""
    return np.array([subject.partition("/")[0] for subject in features.subjects.tolist()])
