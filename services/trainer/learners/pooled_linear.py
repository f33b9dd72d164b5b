"""Logistic regression on normalised, pooled maps.

On 442 published maps of CASME II, SAMM and SMIC it recognised emotions better than every network that was tried. Its
constants were chosen on 40 of their 68 persons. Emotions share one multinomial model, every action unit has its own.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from services.trainer.data.arrays import MAP_SIDE
from services.trainer.data.features import FeatureSubset
from services.trainer.learners.augmentation import mirror_maps
from services.trainer.learners.base import Predictions, TrainingCallbacks, TrainingHistory, Weights
from services.trainer.learners.baselines import array_at_factor
from services.trainer.learners.map_input import prepare_maps
from shared.training.model_settings import ModelSettings
from shared.training.settings import TrainSettings

POOLED_C = 0.003  # inverse of the L2 penalty
POOLING_SIGMA = 1.5  # cells
POOLING_REACH = 6  # cells, four sigma
POOLED_CELLS = np.arange(1, MAP_SIDE, 3)  # the nine rows and columns that are read
NEVER = -20.0  # logit of a class or unit that the training part never shows

FloatTable = NDArray[np.float64]


class PooledLinearLearner:
    """Each clip gives 3 x 9 x 9 numbers of its map at the test factor, standardised by the training part.

    Every clip is learned together with its mirror image. At test, the probabilities of both are averaged.
    """

    def __init__(self, classes: int, settings: TrainSettings) -> None:
        self.classes, self.factor = classes, settings.test_factor
        self.map_settings = ModelSettings(map_head=settings.network.map_head, map_scaling="per-clip")

    def fit(self, train: FeatureSubset, callbacks: TrainingCallbacks) -> TrainingHistory:
        inputs = np.concatenate(self._pooled_inputs(train))  # clips, then their mirror images
        spread = inputs.std(0)
        self.mean, self.scale = inputs.mean(0), np.where(spread > 0, spread, 1.0)
        inputs = (inputs - self.mean) / self.scale
        self.emotion = fit_softmax(inputs, np.tile(train.emotions, 2), self.classes)
        coded = np.tile(train.au_coded, 2)
        units = np.tile(train.aus, (2, 1))[coded]
        self.au = np.array([fit_unit(inputs[coded], column) for column in units.T])
        return TrainingHistory()

    def predict(self, subset: FeatureSubset) -> Predictions:
        both = [self._predict_inputs(inputs) for inputs in self._pooled_inputs(subset)]
        emotions, aus = (sum(parts) / 2 for parts in zip(*both, strict=True))
        return Predictions(emotions, aus)

    def export_weights(self) -> Weights:
        return {"mean": self.mean, "scale": self.scale, "emotion": self.emotion, "au": self.au}

    def load_weights(self, weights: Weights) -> None:
        self.mean, self.scale, self.emotion, self.au = (weights[k] for k in ("mean", "scale", "emotion", "au"))

    def _predict_inputs(self, inputs: FloatTable) -> tuple[FloatTable, FloatTable]:
        """Inputs [n,243] -> probabilities of emotions [n,C] and of action units [n,K]."""
        given = np.column_stack([(inputs - self.mean) / self.scale, np.ones(len(inputs))])
        logits = given @ self.emotion.T
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return shares / shares.sum(1, keepdims=True), 1 / (1 + np.exp(-given @ self.au.T))

    def _pooled_inputs(self, subset: FeatureSubset) -> tuple[FloatTable, FloatTable]:
        """[n,243] of the clips and of their mirror images."""
        maps = prepare_maps(array_at_factor(subset, "maps", self.factor), self.map_settings)
        return pool_maps(maps), pool_maps(mirror_maps(torch.from_numpy(maps)).numpy())


def pool_maps(maps: NDArray[Any]) -> FloatTable:
    """Normalised maps [n,3,28,28] -> [n,243]: a Gaussian of 1.5 cells, read at every third row and column."""
    weights = pooling_weights()
    return np.asarray(np.einsum("ay,ncyx,bx->ncab", weights, maps, weights, optimize=True).reshape(len(maps), -1))


def pooling_weights() -> FloatTable:
    """[9,28]: the Gaussian around each row that is read. Beyond the border the map is reflected."""
    offsets = np.arange(-POOLING_REACH, POOLING_REACH + 1)
    gaussian = np.exp(-0.5 * (offsets / POOLING_SIGMA) ** 2)
    weights = np.zeros((len(POOLED_CELLS), MAP_SIDE))
    for row, centre in zip(weights, POOLED_CELLS, strict=True):
        places = centre + offsets
        places = np.where(places < 0, -1 - places, np.where(places >= MAP_SIDE, 2 * MAP_SIDE - 1 - places, places))
        np.add.at(row, places, gaussian / gaussian.sum())
    return weights


def fit_softmax(inputs: FloatTable, labels: NDArray[np.int64], classes: int) -> FloatTable:
    """Coefficients and intercept [C,D+1] of one multinomial regression of labels [n] on inputs [n,D]."""
    table = np.zeros((classes, inputs.shape[1] + 1))
    table[:, -1] = NEVER
    present = np.unique(labels)
    if len(present) == 1:
        table[present, -1] = 0.0
        return table
    fitted = _fit_balanced(inputs, labels)
    rows = fitted if len(present) > 2 else np.concatenate([np.zeros_like(fitted), fitted])  # two classes: one logit
    table[present] = rows
    return table


def fit_unit(inputs: FloatTable, targets: NDArray[np.uint8]) -> FloatTable:
    """Coefficients and intercept [D+1] of one action unit from inputs [n,D] and targets [n], 0 or 1."""
    if len(np.unique(targets)) < 2:
        constant = np.zeros(inputs.shape[1] + 1)
        constant[-1] = -NEVER if targets.any() else NEVER
        return constant
    return _fit_balanced(inputs, targets)[0]


def _fit_balanced(inputs: FloatTable, labels: NDArray[Any]) -> FloatTable:
    """[C,D+1], for two labels [1,D+1]."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # slow; networks do not need it

    fitted = LogisticRegression(C=POOLED_C, max_iter=1000, class_weight="balanced").fit(inputs, labels)
    return np.column_stack([fitted.coef_, fitted.intercept_])
