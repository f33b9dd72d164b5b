"""A small network with random weights, and its file as the training writes it."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from services.magnifier.magnet.checkpoint import FORMAT
from services.magnifier.magnet.network import MagNet


@pytest.fixture(scope="session")
def small_net() -> MagNet:
    torch.manual_seed(3)
    return MagNet(8, 1).eval().requires_grad_(False)


@pytest.fixture
def weights_file(small_net: MagNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights in the folder of weights, under the name that their sha256 asks for."""
    monkeypatch.setenv("MER_WEIGHTS_DIR", str(tmp_path))
    file = tmp_path / "own.safetensors"
    save_file(small_net.state_dict(), file, FORMAT)
    return file.rename(tmp_path / f"magnet-{file_sha256(file)[:12]}.safetensors")


def file_sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
