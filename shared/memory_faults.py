"""Failures to get memory, as numpy, OpenCV, numba, dlib and torch report them, without importing any of them."""

import re

_TORCH_TYPES = {"OutOfMemoryError"}
_TEXTS = re.compile(r"can't allocate memory|insufficient memory|out of memory|bad_alloc", re.IGNORECASE)
_MEMORY_ADVICE = "Give the process more memory, or make the frames smaller or the clip shorter. Then process it again"


def is_memory_fault(error: BaseException) -> bool:
    """Whether an error says that memory could not be had: on the CPU or on a GPU."""
    if isinstance(error, MemoryError) or type(error).__name__ in _TORCH_TYPES:
        return True
    # torch on the CPU raises RuntimeError, OpenCV an error that only its text tells from others.
    return (isinstance(error, RuntimeError) or type(error).__module__ == "cv2") and bool(_TEXTS.search(str(error)))


def describe_memory_fault(error: BaseException, needing: str) -> str:
    """Two sentences: `needing` (a stage, a file) and what it asked for, and what to do."""
    first = str(error).strip().partition("\n")[0].rstrip(".")
    asked = f" ({first})" if first else ""
    return f"{needing} needs more memory than this process can get{asked}. {_MEMORY_ADVICE}."
