"""Weights of a module as named arrays, and names with prefixes."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.trainer.learners.base import Weights

NamedArrays = dict[str, NDArray[Any]]


def copy_module_weights(module: nn.Module) -> NamedArrays:
    """Weights and buffers by name. Later training steps do not change the copies."""
    return {name: tensor_to_array(value) for name, value in module.state_dict().items()}


def load_module_weights(module: nn.Module, weights: Weights) -> None:
    """Copy arrays into the module. Raises RuntimeError for other names or shapes than the module has."""
    module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})


def tensor_to_array(value: Tensor) -> NDArray[Any]:
    """A copy in C order of the tensor's shape and dtype, on the CPU."""
    return np.array(value.detach().cpu().numpy(), order="C")


def add_prefix(prefix: str, arrays: Weights) -> NamedArrays:
    """The same arrays under `prefix/name`."""
    return {f"{prefix}/{name}": value for name, value in arrays.items()}


def strip_prefix(prefix: str, arrays: Weights) -> NamedArrays:
    """The arrays under `prefix/name`, by name. The inverse of `add_prefix`."""
    start = f"{prefix}/"
    return {name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)}
