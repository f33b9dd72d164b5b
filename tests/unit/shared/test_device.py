"""Where tensors are computed."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from shared.device import choose_device, require_kernel_compiler
from shared.errors import Misconfigured


@pytest.mark.parametrize(("setting", "expected"), [(None, "cpu"), ("cpu", "cpu"), ("cuda:1", "cuda:1")])
def test_the_environment_says_it(monkeypatch: pytest.MonkeyPatch, setting: str | None, expected: str) -> None:
    monkeypatch.delenv("MER_DEVICE", raising=False)
    if setting:
        monkeypatch.setenv("MER_DEVICE", setting)
    assert choose_device("cpu") == expected


@pytest.mark.parametrize(("gpu", "expected"), [(True, "cuda"), (False, "cpu")])
@pytest.mark.parametrize("setting", [None, "auto"])
def test_auto(monkeypatch: pytest.MonkeyPatch, setting: str | None, gpu: bool, expected: str) -> None:
    monkeypatch.delenv("MER_DEVICE", raising=False)
    if setting:
        monkeypatch.setenv("MER_DEVICE", setting)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert choose_device() == expected


def test_kernels_for_a_gpu_need_triton_and_a_c_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CC", "/usr/bin/cc")
    if find_spec("triton"):
        require_kernel_compiler()
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Misconfigured, match="a C compiler"):
        require_kernel_compiler()
    (tmp_path / "gcc").touch(mode=0o755)
    monkeypatch.setattr("shared.device.find_spec", lambda name: None)
    with pytest.raises(Misconfigured, match="Not found: triton, which comes with torch"):
        require_kernel_compiler()


def test_the_version_of_torch_is_told_without_torch() -> None:
    """The console and the planner tell it, and need no torch in memory."""
    script = "import shared.device, sys; print(shared.device.describe_torch()['torch'], 'torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.split() == [torch.__version__, "False"]
