"""Predictions of a network for some of the clips."""

from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor, nn

from services.trainer import models
from services.trainer.data.features import FeatureSubset
from services.trainer.learners.augmentation import mirror_batch
from services.trainer.learners.base import Predictions
from services.trainer.learners.batch_source import ArrayNames, TrainingDevice
from services.trainer.learners.batches import sequential_batches
from services.trainer.learners.step_graph import record_on_gpu
from shared.training.settings import TrainSettings


def predict_subset(
    module: nn.Module, settings: TrainSettings, device: TrainingDevice, subset: FeatureSubset
) -> Predictions:
    """Predict once, as `SubsetPredictor` does."""
    return SubsetPredictor(module, settings, device, subset)()


class SubsetPredictor:
    """Probabilities at the test factor, in float32 whatever the precision of the training steps.

    Each call predicts the same clips with the module's weights of that time.
    """

    def __init__(
        self, module: nn.Module, settings: TrainSettings, device: TrainingDevice, subset: FeatureSubset
    ) -> None:
        self.module, self.subset = module, subset
        self.factor = subset.features.factor_index(settings.test_factor)
        self.source = device.batch_source(subset, models.ARRAYS_BY_MODEL[settings.model])
        self._predict_batch = record_on_gpu(
            partial(predict_batch, module, settings.mirror_at_test, self.source.needs), device
        )

    @torch.no_grad()
    def __call__(self) -> Predictions:
        """Emotions [n,C] and AUs [n,K]. Sets eval mode."""
        self.module.eval()
        batches = [
            self._predict_batch(*inputs.values())
            for inputs in sequential_batches(self.subset, self.factor, self.source)
        ]
        emotions, *aus = (torch.cat(parts).cpu().numpy() for parts in zip(*batches, strict=True))
        return Predictions(emotions, aus[0] if aus else None)


def predict_batch(module: nn.Module, mirror: bool, needs: ArrayNames, *inputs: Tensor) -> tuple[Tensor, ...]:
    """Probabilities of emotions [b,C] and, from a network with an AU head, of AUs [b,K].

    mirror: average them with those of the mirrored clips.
    """
    found = _predict_probabilities(module, inputs)
    if not mirror:
        return found
    mirrored = mirror_batch(dict(zip(needs, inputs, strict=True)))
    return tuple((a + b) / 2 for a, b in zip(found, _predict_probabilities(module, mirrored.values()), strict=True))


def _predict_probabilities(module: nn.Module, inputs: Iterable[Tensor]) -> tuple[Tensor, ...]:
    emotions, aus = module(*inputs)
    return emotions.double().softmax(1), *(() if aus is None else (aus.double().sigmoid(),))
