"""Targets of action units: a clip that was not coded for them says nothing, in no learner and no weight."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.trainer.data.features import FeatureSubset
from shared.training.settings import TrainSettings


def au_target_tensors(train: FeatureSubset, units: Sequence[int], settings: TrainSettings) -> tuple[Tensor, Tensor]:
    """Targets [n,K] float32 of K units, and [n] bool: whose row counts.

    `au_labels` zero is the defect of the published code: it gives every clip zeros, coded or not.
    """
    aus = torch.from_numpy(train.au_targets(units).astype(np.float32))
    if settings.au_labels == "zero":
        return torch.zeros_like(aus), torch.ones(len(train), dtype=torch.bool)
    return aus, torch.from_numpy(train.au_coded)


def learns_units(train: FeatureSubset, settings: TrainSettings) -> bool:
    """Whether the training part has a clip from which a learner can learn action units."""
    return settings.au_labels == "zero" or bool(train.au_coded.any())


def share_of_units(train: FeatureSubset) -> NDArray[np.float64]:
    """[K] share of the coded clips that show each unit. 0 if no clip was coded."""
    return train.aus[train.au_coded].sum(0) / max(1, int(train.au_coded.sum()))
