"""What the benchmarks share: where results go, what machine made them, arguments, clocks and drawn clips."""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from shared.device import choose_device

if TYPE_CHECKING:
    from services.ingest.catalogue.entry import FoundClip

RESULTS = Path(__file__).parent / "results"
GPU_RATIO = "times two CPU cores"  # end of the names of the figures of gpu.py that docs/explanation/benchmarks.md shows
T = TypeVar("T")


@dataclass(frozen=True)
class Timing(Generic[T]):
    """What a call returned, and the least CPU and wall seconds of its repetitions."""

    result: T
    cpu_seconds: float
    wall_seconds: float


def time_call(work: Callable[[], T], runs: int = 1) -> Timing[T]:
    """Call `work` so many times. The least time is the one that other work on the machine disturbs least."""
    cpu, wall = [], []
    for _ in range(runs):
        started = time.process_time(), time.perf_counter()
        result = work()
        cpu.append(time.process_time() - started[0])
        wall.append(time.perf_counter() - started[1])
    return Timing(result, min(cpu), min(wall))


def describe_machine(*packages: str) -> dict[str, Any]:
    """Processor, cores, load at this moment, Python, and the versions of installed packages."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }


def result_file(name: str, *, by_device: bool = False) -> Path:
    """benchmarks/results/NAME.json, or NAME-DEVICE.json with the kind of the device in use (`cpu`, `cuda`)."""
    return RESULTS / (f"{name}-{choose_device().partition(':')[0]}.json" if by_device else f"{name}.json")


def read_result(name: str) -> dict[str, Any] | None:
    """A stored result by the name of its file; None if the benchmark has not run yet."""
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else None


def write_result(file: Path, result: Mapping[str, Any] | list[Any]) -> None:
    """Write a result as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result, indent=2) + "\n")


def argument_parser(doc: str | None, out: Path | None = None) -> argparse.ArgumentParser:
    """A parser whose help is a script's docstring; with `out` it has the option --out for the result's file."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if out:
        parser.add_argument("--out", type=Path, default=out, help="file of the result; default: %(default)s")
    return parser


def draw_clips(folder: Path, subjects: int, clips: int, seed: int, **options: Any) -> "list[FoundClip]":
    """Draw a synthetic dataset into the folder and return its clips as ingest finds them."""
    # here, as docs/generate.py reads this module and needs no image libraries
    from merstream import synth
    from services.ingest.catalogue.entry import FoundClip
    from services.ingest.discover import discover_clips

    synth.write_dataset(folder, subjects, clips, seed, **options)
    return [clip for clip in discover_clips(folder) if isinstance(clip, FoundClip)]
