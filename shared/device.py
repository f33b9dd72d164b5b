"""On which device tensors are computed: operational, `MER_DEVICE`, and no part of a recipe."""

import os


def device(default: str = "auto") -> str:
    """`MER_DEVICE`, else `default`; `auto` is a GPU where torch sees one."""
    wanted = os.environ.get("MER_DEVICE", default)
    if wanted != "auto":
        return wanted
    import torch  # a service may be installed without it

    return "cuda" if torch.cuda.is_available() else "cpu"
