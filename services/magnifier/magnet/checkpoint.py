"""Weights of MagNet from a file: those that are shipped, and the published ones of the ICASSP 2024 paper's port."""

import hashlib
import io
import json
import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from services.magnifier.magnet.network import MagNet
from shared.errors import MissingWeights
from shared.stage_settings.magnifier import SHIPPED_WEIGHTS
from shared.weights import weights_folder

SHIPPED_FILE = Path(__file__).with_name("weights.safetensors")
FORMAT = {"format": "merstream-magnet"}  # metadata of own files
Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class TrainedMagNet:
    """A network with its weights, for inference only.

    `own_motion` is what its alpha counts beside the added motion: 0, or 1 for the published weights, whose alpha is the
    total motion over the recorded one.
    """

    net: MagNet
    own_motion: float


def find_weights(sha256: str) -> Path:
    """The file with this sha256: the shipped one, or one in the folder of weights. Raises MissingWeights."""
    if sha256 == SHIPPED_WEIGHTS:
        return SHIPPED_FILE
    name = f"magnet-{sha256[:12]}"
    for file in sorted(weights_folder().glob(f"{name}.*")):
        return file
    raise MissingWeights(
        f"MagNet's weights {sha256} are not in {weights_folder()}. Put the file there, named {name} and its "
        "suffix, or remove the setting magnifier.weights."
    )


def load_magnet(file: Path, sha256: str) -> TrainedMagNet:
    """Read tensors alone, never code, from a file of this sha256.

    Own files are safetensors. The published ones are torch's, with the names of `network`, with or without the prefix
    `module.`. Raises MissingWeights for other bytes, pickled modules, and names or shapes that do not fit.
    """
    data = file.read_bytes()
    if (got := hashlib.sha256(data).hexdigest()) != sha256:
        raise MissingWeights(f"{file} has sha256 {got}, expected {sha256}: it was changed or cut. Get it again.")
    own = data[8:9] == b"{"  # safetensors: the length of a header in JSON, then the header
    tensors = read_own_tensors(data, file) if own else read_published_tensors(data, file)
    return TrainedMagNet(build_network(tensors, file), 0.0 if own else 1.0)


def read_own_tensors(data: bytes, file: Path) -> Tensors:
    """Tensors of a safetensors file of the training here. Raises MissingWeights for others."""
    try:
        tensors = load(data)
        described = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__", {})
    except SafetensorError as broken:
        raise MissingWeights(f"{file} is no whole safetensors file ({broken}). Get it again.") from broken
    if not FORMAT.items() <= described.items():
        raise MissingWeights(
            f"{file} is not of `python -m services.magnifier.magnet.train`: it lacks the mark {FORMAT}."
        )
    return {name: tensor.float() for name, tensor in tensors.items()}


def read_published_tensors(data: bytes, file: Path) -> Tensors:
    """Tensors of a torch file, without the prefix `module.` of several GPUs. Raises MissingWeights for others."""
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as refused:
        raise MissingWeights(
            f"{file} holds more than tensors, as a pickle of a whole module does, or is no file of torch. Reading it "
            "could run foreign code, so it is refused. Store the state_dict of that module instead."
        ) from refused
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise MissingWeights(f"{file} is no state_dict: expected tensors by name. Store the state_dict alone.")
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}


def build_network(tensors: Tensors, file: Path) -> MagNet:
    """The network of the width and depth of these tensors, which must fit exactly. Raises MissingWeights."""
    if any(name.endswith(".bias") for name in tensors):
        raise MissingWeights(
            f"{file} is of another port of MagNet, whose layers have biases: still frames would not stay still. "
            "Expected a network without biases."
        )
    widest = tensors.get("manipulator.g.conv2d.weight")
    blocks = len({name.split(".")[2] for name in tensors if name.startswith("decoder.resblks.")})
    if widest is None:
        raise MissingWeights(f"{file} lacks manipulator.g.conv2d.weight: it holds another network or other names.")
    net = MagNet(len(widest), blocks)
    try:
        net.load_state_dict(tensors, strict=True)
    except RuntimeError as misfit:
        raise MissingWeights(f"{file} does not fit MagNet of width {len(widest)}: {misfit}") from misfit
    return net.eval().requires_grad_(False)
