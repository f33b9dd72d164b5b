"""A part's arrays as a network takes them: held on a GPU whole where they fit, else gathered batch by batch."""

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.trainer.data.arrays import PATCHES
from services.trainer.data.features import Features, Part
from services.trainer.models import NEEDS

Needs = tuple[str, ...]  # of `patches`, `clip`, `maps`
Inputs = dict[str, Tensor]  # what a network needs, in the order that it is called with
Indices = NDArray[np.intp]
Supply = Callable[[Indices, Indices], Inputs]  # (which [n] of the part, factors [n] or [n,9]) -> inputs on the device
SHARE = 0.5  # of a GPU's free memory that features may take; the rest is for the network
FOLD_BYTES = {"fmer": 10 << 30, "htnet": 6 << 30}  # weights, optimiser, activations of a batch of 16, torch itself
SMALL_FOLD_BYTES = 2 << 30


def supply(part: Part, needs: Needs, device: str) -> Supply:
    """By whichever way the device takes."""
    if torch.device(device).type == "cuda" and _fits(part.features, needs, device):
        return Resident(part, needs, device)
    return Gathered(part, needs, device)


class Gathered:
    """Copies what a batch needs out of the features, which may be mapped files; to a GPU through pinned memory."""

    def __init__(self, part: Part, needs: Needs, device: str) -> None:
        self.part, self.needs, self.device = part, needs, device
        self.pinned = torch.device(device).type == "cuda"

    def __call__(self, which: Indices, factors: Indices) -> Inputs:
        return {what: self._moved(self.part.picked(what, which, factors)) for what in self.needs}

    def _moved(self, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(array)
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.pinned else tensor.to(self.device)


class Resident:
    """Holds all features on the device once, for every fold of the process, and picks batches there."""

    def __init__(self, part: Part, needs: Needs, device: str) -> None:
        self.rows = torch.from_numpy(part.rows).to(device)
        self.arrays = _resident(part.features, needs, device)

    def __call__(self, which: Indices, factors: Indices) -> Inputs:
        rows = self.rows[torch.from_numpy(which).to(self.rows.device)]
        drawn = torch.from_numpy(factors).to(rows.device)
        return {what: _picked(what, array, rows, drawn) for what, array in self.arrays.items()}


def _picked(what: str, array: Tensor, rows: Tensor, factors: Tensor) -> Tensor:
    """As `Part.picked` does, on the device."""
    if what == "clip":
        return array[rows].permute(0, 4, 1, 2, 3)
    if factors.ndim == 1:
        return array[rows, factors]
    if what == "maps":
        return array[rows, factors[:, -1]]
    return array[rows[:, None], factors, torch.arange(PATCHES[0], device=rows.device)]


_held: tuple[weakref.ref[Features], Needs, str, Inputs] | None = None  # of the newest features only


def _resident(features: Features, needs: Needs, device: str) -> Inputs:
    """Moved at the first call; folds that follow find them there."""
    global _held
    if _held is None or _held[0]() is not features or _held[1:3] != (needs, device):
        _held = None  # room for the next
        moved = {what: torch.tensor(features.held(what), device=device) for what in needs}
        _held = weakref.ref(features), needs, device, moved
    return _held[3]


def _fits(features: Features, needs: Needs, device: str) -> bool:
    held = _held is not None and _held[0]() is features and _held[1:3] == (needs, device)
    return held or _size(features, needs) <= SHARE * free_bytes(device)


def side_by_side(
    features: Features, model: str, jobs: int, device: str, free: Callable[[str], int] | None = None
) -> int:
    """How many processes train folds at a time: `jobs`, on a GPU at most as many as its free memory takes.

    Processes, and not the stacked models of torch.func: those draw every fold's dropout from one generator and sum in
    another order, so that a fold's figures would depend on the folds beside it.
    """
    if torch.device(device).type != "cuda" or model not in NEEDS:
        return jobs
    each = _size(features, NEEDS[model]) + FOLD_BYTES.get(model, SMALL_FOLD_BYTES)
    return max(1, min(jobs, (free or free_bytes)(device) // each))


def free_bytes(device: str) -> int:
    """Of a GPU's memory."""
    return torch.cuda.mem_get_info(device)[0]


def _size(features: Features, needs: Needs) -> int:
    return sum(features.held(what).nbytes for what in needs)
