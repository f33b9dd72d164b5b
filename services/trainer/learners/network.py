"""A network of the registry as a learner: built from a seed, trained, and exported as named arrays."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import nn

from services.trainer import models
from services.trainer.data.features import FeatureSubset
from services.trainer.learners.base import Predictions, TrainingCallbacks, TrainingHistory, Weights
from services.trainer.learners.batch_source import TrainingDevice
from services.trainer.learners.map_input import MAP_ARRAYS
from services.trainer.learners.prediction import predict_subset
from services.trainer.learners.training_loop import TrainingLoop
from services.trainer.learners.weights import copy_module_weights, load_module_weights
from shared.training.annotations import PAPER_UNITS
from shared.training.settings import TrainSettings


@contextmanager
def deterministic_torch(seed: int) -> Iterator[None]:
    """Equal seeds give equal figures on one device, and float32 is float32: no TF32, whose factors have 10 bits.

    The caller's random state and flags are restored at the end.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled, tf32 = torch.utils.deterministic.fill_uninitialized_memory, torch.backends.cudnn.allow_tf32
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read once; without it cuBLAS may sum in any order
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        # On CUDA an operation that has no deterministic kernel is warned of. It would else end the training.
        torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
        torch.utils.deterministic.fill_uninitialized_memory = False  # a search for faults, at one more pass per result
        torch.backends.cudnn.allow_tf32 = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            torch.utils.deterministic.fill_uninitialized_memory, torch.backends.cudnn.allow_tf32 = filled, tf32


class NetworkLearner:
    """A network of the registry as a Learner. `units`: the action units that it predicts."""

    def __init__(
        self,
        classes: int,
        settings: TrainSettings,
        seed: int = 0,
        device: TrainingDevice | None = None,
        units: Sequence[int] = PAPER_UNITS,
    ) -> None:
        self.settings, self.seed, self.device, self.units = settings, seed, device or TrainingDevice(), units
        with deterministic_torch(seed):
            module = models.build_network(settings.model, classes, settings.network, units).to(self.device.name)
        self.module = to_channels_last_on_gpu(module, self.device.name)

    def fit(self, train: FeatureSubset, callbacks: TrainingCallbacks) -> TrainingHistory:
        """Train from the newest stored state, if there is one. Raises TrainingStopped as soon as the callback
        `should_stop` returns true."""
        train = self._prepare_subset(train)
        if callbacks.oracle_subset is not None:
            callbacks = replace(callbacks, oracle_subset=self._prepare_subset(callbacks.oracle_subset))
        with deterministic_torch(self.seed + 1):
            loop = TrainingLoop(self.module, self.settings, self.seed, self.device, train, callbacks, self.units)
            return loop.run()

    def predict(self, subset: FeatureSubset) -> Predictions:
        """Probabilities of emotions [n,C] and AUs [n,K]."""
        with deterministic_torch(self.seed):
            return predict_subset(self.module, self.settings, self.device, self._prepare_subset(subset))

    def _prepare_subset(self, subset: FeatureSubset) -> FeatureSubset:
        """The same clips, with maps as the network reads them."""
        if not set(MAP_ARRAYS) & set(models.ARRAYS_BY_MODEL[self.settings.model]):
            return subset
        return replace(subset, features=self.device.prepare_maps(subset.features, self.settings.network))

    def export_weights(self) -> Weights:
        return copy_module_weights(self.module)

    def load_weights(self, weights: Weights) -> None:
        load_module_weights(self.module, weights)


def to_channels_last_on_gpu(module: nn.Module, device: str) -> nn.Module:
    """On a GPU lay out the weights of 2-D convolutions with the channels last, the layout of its tensor cores."""
    return lay_out_channels_last(module) if torch.device(device).type == "cuda" else module


def lay_out_channels_last(module: nn.Module) -> nn.Module:
    """Lay out the weights of the module's 2-D convolutions with the channels last, without a change of values.

    P3D lays out its 3-D convolutions itself.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(memory_format=torch.channels_last)
    return module
