"""The optimiser of a network: its weight groups, its learning rate by step, its state as named arrays."""

import math
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.trainer.learners.base import Weights
from services.trainer.learners.weights import NamedArrays, add_prefix, strip_prefix, tensor_to_array
from shared.training.settings import TrainSettings

FIRST_DECAY_EPOCH = 41  # late-exponential lowers the rate from this epoch index on (paper)


def build_optimiser(module: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW with one fused kernel. Weight matrices decay; biases, norms and learned patterns do not, because zero is no
    natural value for them. On a GPU the learning rate is a tensor: a CUDA graph reads it anew in each step."""
    matrices = [weight for name, weight in module.named_parameters() if name.endswith("weight") and weight.ndim > 1]
    decaying = {id(weight) for weight in matrices}
    others = [weight for weight in module.parameters() if id(weight) not in decaying]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    device = next(module.parameters()).device
    if device.type != "cuda":
        return torch.optim.AdamW(groups, settings.learning_rate, fused=True)
    rate = torch.tensor(settings.learning_rate, device=device)
    optimiser = torch.optim.AdamW(groups, rate, fused=True, capturable=True)
    optimiser._warned_capturable_if_run_uncaptured = True  # torch would warn of the steps before the graph
    return optimiser


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of the next step, in place where it is a tensor."""
    for held in {id(group["lr"]): group["lr"] for group in optimiser.param_groups}.values():
        if isinstance(held, Tensor):
            held.fill_(rate)
    for group in optimiser.param_groups:
        if not isinstance(group["lr"], Tensor):
            group["lr"] = rate


def learning_rate_factor(settings: TrainSettings, epoch: int, step: int, steps_per_epoch: int) -> float:
    """Factor on the learning rate in step `step` (from 0) of the run, which belongs to epoch `epoch` (from 0)."""
    if settings.schedule == "late-exponential":
        return settings.gamma ** max(0, epoch - FIRST_DECAY_EPOCH)
    total = settings.epochs * steps_per_epoch
    warm = max(1, total // 10)
    if step < warm:
        return (step + 1) / warm
    return (1 + math.cos(math.pi * (step - warm) / max(1, total - warm))) / 2


def export_optimiser_state(optimiser: torch.optim.Optimizer) -> NamedArrays:
    """The state of each weight under `index/name`, with the index in the order of the groups."""
    arrays: NamedArrays = {}
    for index, values in optimiser.state_dict()["state"].items():
        arrays |= add_prefix(str(index), {name: tensor_to_array(value) for name, value in values.items()})
    return arrays


def load_optimiser_state(optimiser: torch.optim.Optimizer, arrays: Weights) -> None:
    """Load what `export_optimiser_state` returned for an optimiser of the same weights."""
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    values = {index: strip_prefix(str(index), arrays) for index in range(len(weights))}
    state = {
        index: {name: _match_memory_layout(weights[index], value) for name, value in values[index].items()}
        for index in values
        if values[index]
    }
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def _match_memory_layout(weight: Tensor, value: NDArray[Any]) -> Tensor:
    """A moment in the memory layout of its weight, because kernels may round by layout; a step count as it is."""
    tensor = torch.from_numpy(value)
    return torch.empty_like(weight).copy_(tensor) if tensor.shape == weight.shape else tensor
