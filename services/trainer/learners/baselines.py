"""Learners that a network must beat: the most frequent class, and linear models of the mean flow."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.arrays import MAP_SIDE
from services.trainer.data.features import FeatureSubset
from services.trainer.learners.au_targets import share_of_units
from services.trainer.learners.base import Predictions, TrainingCallbacks, TrainingHistory, Weights
from services.trainer.learners.map_input import prepare_maps
from shared.training.model_settings import ModelSettings
from shared.training.settings import TrainSettings

INVERSE_L2_PENALTY = 0.05  # inverse of the L2 penalty: a few hundred clips have 540 inputs each
CELL_SIDE = 4  # px; a map is averaged over square cells of this side
CELL_COUNT = MAP_SIDE // CELL_SIDE  # cells along a side of the map


class MajorityLearner:
    """Predicts the training part's class shares and AU shares for every clip."""

    def __init__(self, classes: int, settings: TrainSettings) -> None:
        self.classes = classes

    def fit(self, train: FeatureSubset, callbacks: TrainingCallbacks) -> TrainingHistory:
        self.emotions = np.bincount(train.emotions, minlength=self.classes) / len(train)
        self.aus = share_of_units(train)
        return TrainingHistory()

    def predict(self, subset: FeatureSubset) -> Predictions:
        return Predictions(np.tile(self.emotions, (len(subset), 1)), np.tile(self.aus, (len(subset), 1)))

    def export_weights(self) -> Weights:
        return {"emotions": self.emotions, "aus": self.aus}

    def load_weights(self, weights: Weights) -> None:
        self.emotions, self.aus = weights["emotions"], weights["aus"]


class LinearLearner:
    """One logistic regression per emotion and per AU, on inputs standardised by the training part.

    Inputs are the mean (u, v) of each ROI in each of the nine flow fields at the test factor. Features without patches
    give the means of u, v and strain over cells of 4x4 px of the map instead, without the head's motion.
    """

    def __init__(self, classes: int, settings: TrainSettings) -> None:
        self.classes, self.factor = classes, settings.test_factor
        self.map_settings = ModelSettings(map_head=settings.network.map_head, map_scaling="none")

    def fit(self, train: FeatureSubset, callbacks: TrainingCallbacks) -> TrainingHistory:
        inputs = self._mean_flow_inputs(train)
        spread = inputs.std(0)
        self.mean, self.scale = inputs.mean(0), np.where(spread > 0, spread, 1.0)
        inputs = (inputs - self.mean) / self.scale
        self.emotion = _fit_logistic_per_column(inputs, np.eye(self.classes, dtype=int)[train.emotions], balanced=True)
        coded = train.au_coded
        self.au = _fit_logistic_per_column(inputs[coded], train.aus[coded], balanced=False)
        return TrainingHistory()

    def predict(self, subset: FeatureSubset) -> Predictions:
        inputs = np.column_stack([(self._mean_flow_inputs(subset) - self.mean) / self.scale, np.ones(len(subset))])
        emotions, aus = (1 / (1 + np.exp(-inputs @ table.T)) for table in (self.emotion, self.au))
        return Predictions(emotions / emotions.sum(1, keepdims=True), aus)

    def export_weights(self) -> Weights:
        return {"mean": self.mean, "scale": self.scale, "emotion": self.emotion, "au": self.au}

    def load_weights(self, weights: Weights) -> None:
        self.mean, self.scale, self.emotion, self.au = (weights[k] for k in ("mean", "scale", "emotion", "au"))

    def _mean_flow_inputs(self, subset: FeatureSubset) -> NDArray[np.float64]:
        """[n,540], from maps [n,147]."""
        if "patches" not in subset.features.array_names:
            return self._mean_map_inputs(subset)
        patches = array_at_factor(subset, "patches", self.factor)
        return patches.mean((-1, -2), dtype=np.float64).reshape(len(subset), -1)

    def _mean_map_inputs(self, subset: FeatureSubset) -> NDArray[np.float64]:
        """[n,147]."""
        maps = prepare_maps(array_at_factor(subset, "maps", self.factor), self.map_settings)
        cells = maps.reshape(len(subset), 3, CELL_COUNT, CELL_SIDE, CELL_COUNT, CELL_SIDE)
        return cells.mean((-1, -3), dtype=np.float64).reshape(len(subset), -1)


class LinearMapsLearner(LinearLearner):
    """`LinearLearner` on maps, also where there are patches: what a linear model makes of the baselines' input."""

    def _mean_flow_inputs(self, subset: FeatureSubset) -> NDArray[np.float64]:
        return self._mean_map_inputs(subset)


def array_at_factor(subset: FeatureSubset, array_name: str, factor: float) -> NDArray[Any]:
    """An array of all n clips of the subset at the nearest available factor, [n, ...]."""
    clips, index = np.arange(len(subset)), subset.features.factor_index(factor)
    return subset.batch_array(array_name, clips, np.full(len(subset), index))


def _fit_logistic_per_column(
    inputs: NDArray[np.float64], targets: NDArray[np.integer], balanced: bool
) -> NDArray[np.float64]:
    """Coefficients and intercept [K,D+1] for inputs [n,D], one row per column of targets [n,K]. A column that never
    varies becomes a constant. Without inputs all targets count as 0."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # slow; networks do not need it

    rows = np.zeros((targets.shape[1], inputs.shape[1] + 1))
    for row, column in zip(rows, targets.T, strict=True):
        if len(np.unique(column)) < 2:
            row[-1] = 10.0 if column.any() else -10.0
            continue
        fitted = LogisticRegression(C=INVERSE_L2_PENALTY, max_iter=500, class_weight="balanced" if balanced else None)
        fitted.fit(inputs, column)
        row[:-1], row[-1] = fitted.coef_[0], fitted.intercept_[0]
    return rows
