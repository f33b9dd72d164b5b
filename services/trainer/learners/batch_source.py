"""Network inputs of a batch: from features that a GPU holds whole, or copied batch by batch."""

import weakref
from collections.abc import Callable, Iterator
from typing import Protocol

import torch
from torch import Tensor

from services.trainer.data.arrays import FLOW_COUNT, Indices, take_batch
from services.trainer.data.features import Features, FeatureSubset
from services.trainer.learners.map_input import MapPreparation
from services.trainer.models import ARRAYS_BY_MODEL

ArrayNames = tuple[str, ...]  # of `patches`, `clip`, `maps`
NetworkInputs = dict[str, Tensor]  # the arrays that a network needs, in the order of its arguments
FREE_MEMORY_SHARE = 0.5  # share of a GPU's free memory that features may take; the rest is for the network


def free_gpu_bytes(device: str) -> int:
    """Free memory of a GPU in bytes."""
    return torch.cuda.mem_get_info(device)[0]


def copy_to_device(values: Tensor, device: str | torch.device) -> Tensor:
    """A CPU tensor [...] on the device; to a GPU through pinned memory, as other copies wait for all work there."""
    if torch.device(device).type == "cuda":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


class TrainingDevice:
    """The device that a process trains on. A GPU holds the newest features for all folds, if they fit.

    `free_bytes`: returns the free memory of a GPU in bytes.
    """

    def __init__(self, name: str = "cpu", free_bytes: Callable[[str], int] = free_gpu_bytes) -> None:
        self.name, self.free_bytes = name, free_bytes
        self.is_gpu = torch.device(name).type == "cuda"
        self._features: weakref.ref[Features] | None = None
        self._arrays: NetworkInputs = {}
        self.prepare_maps = MapPreparation()

    def batch_source(self, subset: FeatureSubset, needs: ArrayNames) -> "BatchSource":
        """The faster source of batches that the device's memory allows."""
        if self.is_gpu and self.has_room(subset.features, needs):
            return DeviceBatchSource(subset, needs, self)
        return HostBatchSource(subset, needs, self)

    def has_room(self, features: Features, needs: ArrayNames) -> bool:
        """Whether the device holds these arrays already, or has enough free memory for them."""
        required = _required_bytes(features, needs)
        return self._holds(features, needs) or required <= FREE_MEMORY_SHARE * self.free_bytes(self.name)

    def load_arrays(self, features: Features, needs: ArrayNames) -> NetworkInputs:
        """All clips' arrays on the device, [N, ...] each. Later calls for the same features return the same tensors."""
        if not self._holds(features, needs):
            self._arrays = {}  # frees the memory for the next features
            self._arrays = {name: torch.tensor(features.array_by_name(name), device=self.name) for name in needs}
            self._features = weakref.ref(features)
        return self._arrays

    def _holds(self, features: Features, needs: ArrayNames) -> bool:
        return self._features is not None and self._features() is features and tuple(self._arrays) == needs


class BatchSource(Protocol):
    """A function from indices [n] of a subset's clips and factor indices [n] or [n,9] to the network's inputs.

    The inputs have the shapes of `take_batch` and are on the source's device. `cut_batches` gives those of `size` clips
    at a time.
    """

    needs: ArrayNames
    device: TrainingDevice

    def __call__(self, clip_indices: Indices, factor_indices: Indices) -> NetworkInputs: ...

    def cut_batches(self, clip_indices: Indices, factor_indices: Indices, size: int) -> Iterator[NetworkInputs]: ...


class HostBatchSource:
    """Copies each batch from the features, which may be mapped files; to a GPU through pinned memory."""

    def __init__(self, subset: FeatureSubset, needs: ArrayNames, device: TrainingDevice) -> None:
        self.subset, self.needs, self.device = subset, needs, device

    def __call__(self, clip_indices: Indices, factor_indices: Indices) -> NetworkInputs:
        return {
            name: copy_to_device(
                torch.from_numpy(self.subset.batch_array(name, clip_indices, factor_indices)), self.device.name
            )
            for name in self.needs
        }

    def cut_batches(self, clip_indices: Indices, factor_indices: Indices, size: int) -> Iterator[NetworkInputs]:
        for start in range(0, len(clip_indices), size):
            yield self(clip_indices[start : start + size], factor_indices[start : start + size])


class DeviceBatchSource:
    """Indexes batches on the device, which holds all features once for every fold of the process."""

    def __init__(self, subset: FeatureSubset, needs: ArrayNames, device: TrainingDevice) -> None:
        self.needs, self.device = needs, device
        self.rows = torch.from_numpy(subset.rows).to(device.name)
        self.flows = torch.arange(FLOW_COUNT, device=device.name)
        self.arrays = device.load_arrays(subset.features, needs)

    def __call__(self, clip_indices: Indices, factor_indices: Indices) -> NetworkInputs:
        (inputs,) = self.cut_batches(clip_indices, factor_indices, len(clip_indices))
        return inputs

    def cut_batches(self, clip_indices: Indices, factor_indices: Indices, size: int) -> Iterator[NetworkInputs]:
        clips, factors = (
            copy_to_device(torch.from_numpy(indices), self.device.name) for indices in (clip_indices, factor_indices)
        )
        for rows, of_rows in zip(self.rows[clips].split(size), factors.split(size), strict=True):
            yield {name: take_batch(name, array, rows, of_rows, self.flows) for name, array in self.arrays.items()}


def max_parallel_folds(model: str, jobs: int, device: str) -> int:
    """Number of processes that train folds at a time: `jobs`, but one where a network trains on a GPU.

    A GPU replays the steps of one fold without a pause, so folds side by side share its time. On an H200, four of
    `fmer-lite` gave 1.1 times the epochs per second, and each process takes ten seconds to start.
    """
    return 1 if torch.device(device).type == "cuda" and model in ARRAYS_BY_MODEL else jobs


def _required_bytes(features: Features, needs: ArrayNames) -> int:
    return sum(features.array_by_name(name).nbytes for name in needs)
