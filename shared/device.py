"""The device on which tensors are computed: operational (`MER_DEVICE`) and no part of a recipe."""

import os

from shared.errors import Misconfigured


def choose_device(default: str = "auto") -> str:
    """`MER_DEVICE`, else `default`. `auto` is a GPU if torch sees one. Raises Misconfigured without torch."""
    try:
        import torch  # a service may be installed without it
    except ModuleNotFoundError as missing:
        raise Misconfigured(
            "The settings need torch (flow.solver, magnifier.library), which is not installed here. Use the images "
            "with torch (docker-compose.gpu.yml, k8s/components/gpu) or remove these settings."
        ) from missing
    wanted = os.environ.get("MER_DEVICE", default)
    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"
