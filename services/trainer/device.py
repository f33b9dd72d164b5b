"""Where networks are trained."""

import os

import torch


def device() -> str:
    """`MER_DEVICE`; by default, and for `auto`, a GPU where torch sees one."""
    wanted = os.environ.get("MER_DEVICE", "auto")
    return wanted if wanted != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


def memory() -> int:
    """Most bytes that this process's tensors have taken on its GPU; 0 without one."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
