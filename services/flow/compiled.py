"""How the flow's kernels are compiled: once per machine, kept on disk beside the source or in NUMBA_CACHE_DIR.

Numba's cache notices changes of a function's own file and no other, so kernels call only kernels of their own file.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compiled on the first call; runs without the interpreter's lock, may reorder sums, checks no division by zero.

    Where no folder for the cache can be written, each process compiles anew (some 20 s).
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": True, "error_model": "numpy"}
    try:
        compiled: F = njit(cache=True, **options)(function)
    except RuntimeError:  # "no locator available": neither the source's folder nor a cache folder is writable
        compiled = njit(**options)(function)
    return compiled
