"""What every recogniser gives: probabilities of emotions and action units, and what limits them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.trainer.recogniser.geometry import MapGeometry
from shared.records import Pipeline
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
    """A model that says what an event is.

    needs: arrays of the roi-au artifact that it reads. pipeline: the settings of the image stages that made what it was
    trained on; None if it was not trained on features of a pipeline.
    """

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def trained_on(self) -> str: ...
    @property
    def needs(self) -> tuple[str, ...]: ...
    @property
    def pipeline(self) -> Pipeline | None: ...

    def recognise(self, maps: NDArray[np.float32], *, subject: str | None = None) -> RecognisedExpression:
        """Maps float32 [F,3,28,28] of one event at F factors.

        subject: `dataset/subject` or `subject` in any spelling, for a model that may have been trained on the person.
        Raises BadData for other shapes, values that are not finite, and if the model needs other arrays.
        """

    def recognise_features(
        self, arrays: Arrays, *, subject: str | None = None, geometry: MapGeometry = "aligned"
    ) -> RecognisedExpression:
        """roi-au's artifact of one event, with maps [F,3,28,28] and others. Raises BadData for a missing array.

        geometry: where the face lies in the maps. It plays no part for a run, which reads maps like its own.
        """


def most_probable(probabilities: Mapping[str, float]) -> str:
    return max(probabilities, key=probabilities.__getitem__)
