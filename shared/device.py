"""The device on which tensors are computed: operational (`MER_DEVICE`) and no part of a recipe."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path

from shared.errors import Misconfigured


def choose_device(default: str = "auto") -> str:
    """`MER_DEVICE`, else `default`. `auto` is a GPU if torch sees one. Raises Misconfigured without torch."""
    try:
        import torch  # a service may be installed without it
    except ModuleNotFoundError as missing:
        raise Misconfigured(
            "The settings need torch (flow.solver or magnifier.method), which is not installed here. Use the images "
            "with torch (FOUNDATION=torch, as in docker-compose.gpu.yml) or remove this setting."
        ) from missing
    wanted = os.environ.get("MER_DEVICE", default)
    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"


def name_training_device() -> str:
    """`MER_DEVICE`, else `cpu`: where runs are trained, for a process that trains nothing and may have no torch."""
    wanted = os.environ.get("MER_DEVICE", "auto")
    return "cpu" if wanted == "auto" else wanted


def describe_device(name: str) -> str:
    """The device, a GPU with its model: "cuda:0 (NVIDIA H200)". Without torch nobody knows the model."""
    if not name.startswith("cuda") or find_spec("torch") is None:
        return name
    import torch

    return f"{name} ({torch.cuda.get_device_name(name)})"


def describe_torch() -> dict[str, str]:
    """The version of torch with its build, such as {"torch": "2.11.0+cu130"}. Empty without torch.

    It is read from torch's file: torch itself takes 500 MB, and the package's metadata lacks the build.
    """
    found = find_spec("torch")
    if found is None or found.origin is None:
        return {}
    return {"torch": str(run_path(str(Path(found.origin).with_name("version.py")))["__version__"])}


def require_kernel_compiler() -> None:
    """Raises Misconfigured where own kernels for a GPU can't be compiled: without triton, or without a C compiler."""
    missing = []
    if find_spec("triton") is None:
        missing.append("triton, which comes with torch for CUDA on Linux")
    if not (os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")):
        missing.append("a C compiler (gcc or clang, or its path in CC)")
    if missing:
        raise Misconfigured(
            f"A GPU needs kernels that are compiled at their first use. Not found: {', and '.join(missing)}. Install "
            "what is missing, use the images with torch, or set MER_DEVICE=cpu."
        )
