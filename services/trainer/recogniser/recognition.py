"""What every recogniser gives: probabilities of emotions and action units, and what limits them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.trainer.recogniser.labels import NO_CLASS
from shared.stage import Arrays


@dataclass(frozen=True)
class RecognisedExpression:
    """Probabilities of one event; those of a dictionary of emotions sum to 1.

    emotion: the most probable of `emotions`, which may be "none". action_units: by number, "12". warnings: sentences.
    """

    emotion: str
    emotions: dict[str, float]
    fine_emotion: str | None = None
    fine_emotions: dict[str, float] = field(default_factory=dict)
    action_units: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class Recogniser(Protocol):
    """A model that says what an event is. `needs`: arrays of the roi-au artifact that it reads."""

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def trained_on(self) -> str: ...
    @property
    def needs(self) -> tuple[str, ...]: ...

    def recognise(self, maps: NDArray[np.float32]) -> RecognisedExpression:
        """Maps float32 [F,3,28,28] of one event at F factors. Raises BadData for other shapes and values."""

    def recognise_features(self, arrays: Arrays) -> RecognisedExpression:
        """roi-au's artifact of one event: maps [F,3,28,28] and others. Raises BadData for a missing array."""


def most_probable(probabilities: Mapping[str, float]) -> str:
    return max(probabilities, key=probabilities.__getitem__)


def most_probable_class(probabilities: Mapping[str, float]) -> str:
    """The most probable class if "none" is no answer."""
    return most_probable({name: value for name, value in probabilities.items() if name != NO_CLASS})
