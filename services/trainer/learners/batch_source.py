"""A part's arrays as a network takes them: held on a GPU whole where they fit, else gathered batch by batch."""

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.trainer.data.arrays import PATCHES_SHAPE
from services.trainer.data.features import Features, FeatureSubset
from services.trainer.models import ARRAYS_BY_MODEL

ArrayNames = tuple[str, ...]  # of `patches`, `clip`, `maps`
NetworkInputs = dict[str, Tensor]  # what a network needs, in the order that it is called with
Indices = NDArray[np.intp]
BatchSource = Callable[
    [Indices, Indices], NetworkInputs
]  # (which [n] of the part, factors [n] or [n,9]) -> inputs on the device
FREE_MEMORY_SHARE = 0.5  # of a GPU's free memory that features may take; the rest is for the network
FOLD_BYTES = {"fmer": 10 << 30, "htnet": 6 << 30}  # weights, optimiser, activations of a batch of 16, torch itself
SMALL_FOLD_BYTES = 2 << 30


def make_batch_source(subset: FeatureSubset, needs: ArrayNames, device: str) -> BatchSource:
    """By whichever way the device takes."""
    if torch.device(device).type == "cuda" and _fits_on_device(subset.features, needs, device):
        return DeviceBatchSource(subset, needs, device)
    return HostBatchSource(subset, needs, device)


class HostBatchSource:
    """Copies what a batch needs out of the features, which may be mapped files; to a GPU through pinned memory."""

    def __init__(self, subset: FeatureSubset, needs: ArrayNames, device: str) -> None:
        self.part, self.needs, self.device = subset, needs, device
        self.pinned = torch.device(device).type == "cuda"

    def __call__(self, which: Indices, factors: Indices) -> NetworkInputs:
        return {what: self._copy_to_device(self.part.batch_array(what, which, factors)) for what in self.needs}

    def _copy_to_device(self, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(array)
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.pinned else tensor.to(self.device)


class DeviceBatchSource:
    """Holds all features on the device once, for every fold of the process, and picks batches there."""

    def __init__(self, subset: FeatureSubset, needs: ArrayNames, device: str) -> None:
        self.rows = torch.from_numpy(subset.rows).to(device)
        self.arrays = _cached_device_arrays(subset.features, needs, device)

    def __call__(self, which: Indices, factors: Indices) -> NetworkInputs:
        rows = self.rows[torch.from_numpy(which).to(self.rows.device)]
        drawn = torch.from_numpy(factors).to(rows.device)
        return {what: _pick_batch_array(what, array, rows, drawn) for what, array in self.arrays.items()}


def _pick_batch_array(array_name: str, array: Tensor, rows: Tensor, factors: Tensor) -> Tensor:
    """As `Part.picked` does, on the device."""
    if array_name == "clip":
        return array[rows].permute(0, 4, 1, 2, 3)
    if factors.ndim == 1:
        return array[rows, factors]
    if array_name == "maps":
        return array[rows, factors[:, -1]]
    return array[rows[:, None], factors, torch.arange(PATCHES_SHAPE[0], device=rows.device)]


_device_cache: tuple[weakref.ref[Features], ArrayNames, str, NetworkInputs] | None = None  # of the newest features only


def _cached_device_arrays(features: Features, needs: ArrayNames, device: str) -> NetworkInputs:
    """Moved at the first call; folds that follow find them there."""
    global _device_cache
    if _device_cache is None or _device_cache[0]() is not features or _device_cache[1:3] != (needs, device):
        _device_cache = None  # room for the next
        moved = {what: torch.tensor(features.array_by_name(what), device=device) for what in needs}
        _device_cache = weakref.ref(features), needs, device, moved
    return _device_cache[3]


def _fits_on_device(features: Features, needs: ArrayNames, device: str) -> bool:
    held = _device_cache is not None and _device_cache[0]() is features and _device_cache[1:3] == (needs, device)
    return held or _required_bytes(features, needs) <= FREE_MEMORY_SHARE * free_gpu_bytes(device)


def max_parallel_folds(
    features: Features, model: str, jobs: int, device: str, free_memory: Callable[[str], int] | None = None
) -> int:
    """How many processes train folds at a time: `jobs`, on a GPU at most as many as its free memory takes.

    Processes, and not the stacked models of torch.func: those draw every fold's dropout from one generator and sum in
    another order, so that a fold's figures would depend on the folds beside it.
    """
    if torch.device(device).type != "cuda" or model not in ARRAYS_BY_MODEL:
        return jobs
    each = _required_bytes(features, ARRAYS_BY_MODEL[model]) + FOLD_BYTES.get(model, SMALL_FOLD_BYTES)
    return max(1, min(jobs, (free_memory or free_gpu_bytes)(device) // each))


def free_gpu_bytes(device: str) -> int:
    """Of a GPU's memory."""
    return torch.cuda.mem_get_info(device)[0]


def _required_bytes(features: Features, needs: ArrayNames) -> int:
    return sum(features.array_by_name(what).nbytes for what in needs)
