"""One thread a process: the processes fill the cores, and float sums, hence artifacts, do not depend on the machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

THREAD_COUNT_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@contextmanager
def single_thread_environment() -> Iterator[None]:
    """Processes started within inherit it; this process's own libraries have read their environment already."""
    before = {name: os.environ.get(name) for name in THREAD_COUNT_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_COUNT_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
