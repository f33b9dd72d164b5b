"""One thread per process. The processes fill the cores, and the order of float sums does not depend on the machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

THREAD_COUNT_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@contextmanager
def single_thread_environment() -> Iterator[None]:
    """Processes that are started within use one thread. It is too late for the libraries of this process."""
    before = {name: os.environ.get(name) for name in THREAD_COUNT_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_COUNT_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def limit_own_threads() -> Iterator[None]:
    """The libraries of this process that are already loaded use one thread within."""
    import cv2
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        cv2.setNumThreads(before)
