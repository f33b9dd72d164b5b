"""How the parts of `benchmarks/gpu.py` measure: the device, repeats of a call, threads, kernels, differences.

Times are wall seconds between two waits for the device: the median of repeats after a warm-up, with the least and the
most.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import cv2
import numba
import numpy as np
import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

Record = Callable[[str, Any], None]


@dataclass(frozen=True)
class Setup:
    """The device, and whether sizes are tiny to test the script."""

    device: str
    small: bool = False

    @property
    def is_gpu(self) -> bool:
        return self.device != "cpu"

    def choose_size(self, full: Any, small: Any) -> Any:
        return small if self.small else full


Measurement = Callable[[Setup, Record, float], None]  # the last argument: when the part must end, by perf_counter


@dataclass(frozen=True)
class Part:
    """A measurement and its share of the time, s of 7 minutes."""

    measure: Measurement
    share: float


@dataclass(frozen=True)
class Repeats:
    """The result of a call and the seconds of its repetitions."""

    result: Any
    seconds: Sequence[float]

    @property
    def median_s(self) -> float:
        return median(self.seconds)

    def describe(self, count: float = 1.0) -> dict[str, float]:
        """Seconds for each of `count` things that a call did."""
        found = {"s": median(self.seconds), "s least": min(self.seconds), "s most": max(self.seconds)}
        return {name: round_figure(value / count) for name, value in found.items()} | {"repeats": len(self.seconds)}


def round_figure(value: float) -> float:
    """Four digits."""
    return float(f"{value:.4g}")


def wait_for_device(setup: Setup) -> None:
    if setup.is_gpu:
        torch.cuda.synchronize()


def free_gpu_memory(setup: Setup) -> None:
    """Give back what torch keeps, and forget the peak. After an error of the GPU, nothing can be given back."""
    if setup.is_gpu:
        try:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        except RuntimeError as failure:
            print(failure)


def peak_gpu_bytes(setup: Setup) -> int | None:
    """Most bytes of tensors at once since `free_gpu_memory`; None without a GPU."""
    return torch.cuda.max_memory_allocated() if setup.is_gpu else None


def time_repeats(setup: Setup, work: Callable[[], Any], runs: int = 5, longest: float = 3.0) -> Repeats:
    """Call `work` once to warm up, then `runs` times, or twice and until `longest` seconds are over.

    A test of the script calls it once in all.
    """
    result = None if setup.small else work()
    seconds: list[float] = []
    while len(seconds) < setup.choose_size(runs, 1) and (len(seconds) < 2 or sum(seconds) < longest):
        wait_for_device(setup)
        start = time.perf_counter()
        result = work()
        wait_for_device(setup)
        seconds.append(time.perf_counter() - start)
    return Repeats(result, seconds)


@contextmanager
def limit_cpu_threads(setup: Setup, count: int) -> Iterator[None]:
    """Torch, OpenCV and Numba use this many threads, or as many as Numba may. A test of the script has one."""
    count = setup.choose_size(count, 1)
    before = torch.get_num_threads(), cv2.getNumThreads(), numba.get_num_threads()
    setters = (torch.set_num_threads, cv2.setNumThreads, numba.set_num_threads)
    try:
        for setter, wanted in zip(setters, (count, count, min(count, numba.config.NUMBA_NUM_THREADS)), strict=True):
            setter(wanted)
        yield
    finally:
        for setter, value in zip(setters, before, strict=True):
            setter(value)


def describe_difference(one: Any, other: Any) -> dict[str, float]:
    """Mean and largest difference of two arrays of one shape."""
    off = np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64))
    return {"mean": float(f"{off.mean():.2g}"), "max": float(f"{off.max():.2g}")}


def count_kernels(setup: Setup, work: Callable[[], Any]) -> dict[str, int]:
    """Kernels that a call runs on the GPU, and calls that launch them; both 0 without a GPU."""
    if not setup.is_gpu:
        return {"kernels": 0, "launch calls": 0}
    work()
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        work()
        wait_for_device(setup)
    events = seen.key_averages()
    on_device = [event for event in events if event.device_type == DeviceType.CUDA]
    return {
        "kernels": sum(event.count for event in on_device if not event.key.startswith(("Memcpy", "Memset"))),
        "launch calls": sum(event.count for event in events if "Launch" in event.key and event not in on_device),
    }
