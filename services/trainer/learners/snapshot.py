"""A training as arrays and numbers, and back: weights, optimiser, every random state, and the best epoch so far.

A training that is restored goes on with exactly the bytes that it would have had, on the same kind of device.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.trainer.learners.base import TrainingState, Weights

if TYPE_CHECKING:
    from services.trainer.learners.training_loop import TrainingLoop

NamedArrays = dict[str, NDArray[Any]]


def copy_module_weights(module: nn.Module) -> Weights:
    """Weights and buffers by name; copies, which later steps do not reach."""
    return {name: _to_array(value) for name, value in module.state_dict().items()}


def capture_state(training: "TrainingLoop") -> TrainingState:
    """Between two epochs; within one it would lack what the epoch has drawn."""
    arrays = _add_prefix("module", copy_module_weights(training.module)) | _add_prefix("kept", training.kept or {})
    for place, values in training.optimiser.state_dict()["state"].items():
        arrays |= _add_prefix(f"optimiser/{place}", {name: _to_array(value) for name, value in values.items()})
    arrays["random/cpu"] = _to_array(torch.random.get_rng_state())
    if _is_on_gpu(training):
        arrays["random/gpu"] = _to_array(torch.cuda.get_rng_state(training.device))
    chosen = {"best": training.best, "chosen": training.watch.best_epoch}
    numbers = {"step": training.step, "draws": training.rng.bit_generator.state, **chosen}
    return TrainingState(arrays, numbers, tuple(training.watch.epochs))


def restore_state(training: "TrainingLoop", saved: TrainingState) -> bool:
    """Whether the state was one of this training on this kind of device; if not, nothing has changed."""
    arrays = dict(saved.arrays)
    weights = _strip_prefix("module", arrays)
    ours = {name: value.shape for name, value in training.module.state_dict().items()}
    if {name: value.shape for name, value in weights.items()} != ours or ("random/gpu" in arrays) != _is_on_gpu(
        training
    ):
        return False
    training.module.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    _restore_optimiser_state(training.optimiser, arrays)
    torch.random.set_rng_state(torch.from_numpy(arrays["random/cpu"]))
    if _is_on_gpu(training):
        torch.cuda.set_rng_state(torch.from_numpy(arrays["random/gpu"]), training.device)
    training.step, training.best = saved.numbers["step"], saved.numbers["best"]
    training.rng.bit_generator.state = saved.numbers["draws"]
    training.watch.best_epoch = saved.numbers["chosen"]
    training.kept = _strip_prefix("kept", arrays) or None
    return True


def _restore_optimiser_state(optimiser: torch.optim.Optimizer, arrays: NamedArrays) -> None:
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    values = {place: _strip_prefix(f"optimiser/{place}", arrays) for place in range(len(weights))}
    made = {
        place: {name: _match_memory_layout(weights[place], value) for name, value in values[place].items()}
        for place in values
    }
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": {place: one for place, one in made.items() if one}, "param_groups": groups})


def _match_memory_layout(weight: Tensor, value: NDArray[Any]) -> Tensor:
    """A moment in the memory layout of its weight, since kernels may round by layout; a step count as it is."""
    tensor = torch.from_numpy(value)
    return torch.empty_like(weight).copy_(tensor) if tensor.shape == weight.shape else tensor


def _is_on_gpu(training: "TrainingLoop") -> bool:
    return torch.device(training.device).type == "cuda"


def _to_array(value: Tensor) -> NDArray[Any]:
    return np.array(value.detach().cpu().numpy(), order="C")


def _add_prefix(prefix: str, arrays: Weights) -> NamedArrays:
    return {f"{prefix}/{name}": value for name, value in arrays.items()}


def _strip_prefix(prefix: str, arrays: NamedArrays) -> NamedArrays:
    start = f"{prefix}/"
    return {name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)}
