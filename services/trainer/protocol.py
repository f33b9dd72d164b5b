"""Leave-one-subject-out: every subject is the test set once, and never trained on while it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Fold:
    """One subject to test on and the samples of all others to train on, as indices."""

    subject: str
    train: Indices
    test: Indices


def loso(subjects: Sequence[Any] | NDArray[Any]) -> list[Fold]:
    """One fold per subject, in the order of their names. Raises BadData for fewer than two subjects."""
    who = np.asarray(subjects)
    names = np.unique(who)
    if len(names) < 2:
        raise BadData(
            f"Leave-one-subject-out needs at least 2 subjects, got {len(names)}: "
            f"{', '.join(map(str, names)) or 'none'}; add clips of other people."
        )
    return [Fold(str(name), np.flatnonzero(who != name), np.flatnonzero(who == name)) for name in names]
