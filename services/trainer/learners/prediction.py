"""Predictions of a network for some of the clips."""

import torch
from torch import Tensor, nn

from services.trainer import models
from services.trainer.data.features import FeatureSubset
from services.trainer.learners.augmentation import mirror_batch
from services.trainer.learners.base import Predictions
from services.trainer.learners.batch_source import NetworkInputs, TrainingDevice
from services.trainer.learners.batches import sequential_batches
from services.trainer.settings import TrainSettings


@torch.no_grad()
def predict_subset(
    module: nn.Module, settings: TrainSettings, device: TrainingDevice, subset: FeatureSubset
) -> Predictions:
    """Probabilities at the test factor, in float32 whatever the precision of the training steps. Sets eval mode."""
    module.eval()
    factor = subset.features.factor_index(settings.test_factor)
    source = device.batch_source(subset, models.ARRAYS_BY_MODEL[settings.model])
    batches = [
        _predict_batch(module, inputs, settings.mirror_at_test) for inputs in sequential_batches(subset, factor, source)
    ]
    emotions, *aus = (torch.cat(parts).cpu().numpy() for parts in zip(*batches, strict=True))
    return Predictions(emotions, aus[0] if aus else None)


def _predict_batch(module: nn.Module, inputs: NetworkInputs, mirror: bool) -> list[Tensor]:
    """Probabilities of emotions [b,C] and, from a network with an AU head, of AUs [b,K]."""
    found = _predict_probabilities(module, inputs)
    if not mirror:
        return found
    return [(a + b) / 2 for a, b in zip(found, _predict_probabilities(module, mirror_batch(inputs)), strict=True)]


def _predict_probabilities(module: nn.Module, inputs: NetworkInputs) -> list[Tensor]:
    emotions, aus = module(*inputs.values())
    return [emotions.double().softmax(1), *([] if aus is None else [aus.double().sigmoid()])]
