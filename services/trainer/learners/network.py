"""A network of the registry as a learner: built from a seed, trained, asked, carried as named arrays."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from services.trainer import models
from services.trainer.data.features import FeatureSubset
from services.trainer.learners import augmentation, batches
from services.trainer.learners.base import Predictions, TrainingCallbacks, Weights
from services.trainer.learners.batch_source import NetworkInputs
from services.trainer.learners.snapshot import copy_module_weights
from services.trainer.learners.training_loop import TrainingLoop
from services.trainer.settings import TrainSettings


@contextmanager
def deterministic_torch(seed: int) -> Iterator[None]:
    """Equal seeds give equal figures on one device; the caller's random state and flags are left as they were."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read once; without it cuBLAS may sum in any order
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        # On CUDA torch only warns: it takes all 3-D max pooling for one that sums in any order, also p3d's over two
        # frames, where no two windows overlap.
        torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])


class NetworkLearner:
    """A network of the registry as a Learner."""

    def __init__(self, classes: int, settings: TrainSettings, seed: int = 0, device: str = "cpu") -> None:
        self.classes, self.settings, self.seed, self.device = classes, settings, seed, device
        self.needs = models.ARRAYS_BY_MODEL[settings.model]
        with deterministic_torch(seed):
            self.module = to_channels_last_on_gpu(
                models.build(settings.model, classes, settings.network).to(device), device
            )

    def fit(self, train: FeatureSubset, callbacks: TrainingCallbacks) -> None:
        """Raises Stopped as soon as `watch.stop()` is true."""
        with deterministic_torch(self.seed + 1):
            kept = TrainingLoop(
                self.module, self.settings, self.seed, self.device, train, callbacks, self.predict
            ).run()
        if kept is not None:
            self.load_weights(kept)

    @torch.no_grad()
    def predict(self, subset: FeatureSubset) -> Predictions:
        """In float32, whatever the steps were computed in."""
        self.module.eval()
        emotions, aus = [], []
        factor = subset.features.factor_index(self.settings.test_factor)
        for inputs in batches.sequential_batches(subset, factor, self.needs, self.device):
            found = self._predict_probabilities(inputs)
            if self.settings.mirror_at_test:
                found = [
                    (a + b) / 2
                    for a, b in zip(found, self._predict_probabilities(augmentation.mirror_batch(inputs)), strict=True)
                ]
            emotions.append(found[0].cpu().numpy())
            aus += [one.cpu().numpy() for one in found[1:]]
        return Predictions(np.concatenate(emotions), np.concatenate(aus) if aus else None)

    def _predict_probabilities(self, inputs: NetworkInputs) -> list[Tensor]:
        """Of emotions and, where the network has a head for them, of AUs."""
        emotions, aus = self.module(*inputs.values())
        return [emotions.double().softmax(1), *([] if aus is None else [aus.double().sigmoid()])]

    def export_weights(self) -> Weights:
        return copy_module_weights(self.module)

    def load_weights(self, weights: Weights) -> None:
        self.module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})


def to_channels_last_on_gpu(module: nn.Module, device: str) -> nn.Module:
    """On a GPU the weights of two-dimensional convolutions with the channels last, as its tensor cores take them; those
    of three-dimensional ones P3D lays out itself. Values are the same."""
    if torch.device(device).type == "cuda":
        return module.to(memory_format=torch.channels_last)
    return module
