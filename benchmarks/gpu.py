"""All figures that need a GPU, in one run of seven minutes: `make gpu-check`. No network is needed.

    PYTHONPATH=. python benchmarks/gpu.py                        # benchmarks/results/gpu-NAME OF THE GPU.json
    PYTHONPATH=. python benchmarks/gpu.py --part flow fmer       # these anew; other parts of the file stay
    PYTHONPATH=. python benchmarks/gpu.py --device cpu --small   # a test of the script, without a GPU

Parts run in the order of their importance (`gpu_parts.PARTS`); each is told its share of the time. A part that uses
less leaves the rest to the next ones. One that uses more is ended, and its figures up to then are kept. A part that
fails is recorded with its traceback. After an error of the GPU itself a new process goes on, because the old one can
not use the GPU again. The result is written after every figure, so that a kill loses nothing.

Features come from gpu-bundle/ (`make gpu-bundle`); without it, they are random and the figures of recognition mean
nothing. CPU figures of the same run stand beside those of the GPU. "two CPU cores" are two threads of one process.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from benchmarks import gpu_parts, gpu_timing, gpu_training
from benchmarks.common import GPU_RATIO, RESULTS, argument_parser, describe_machine, write_result

TOO_SHORT = 2.0  # s; a part does not start with less
WORTH_KEEPING = 3.0  # a GPU path must be this many times as fast as two CPU cores


class TimeSpent(BaseException):
    """A part had no time left. Nothing between takes it for an error."""


@contextmanager
def end_after(seconds: float) -> Iterator[None]:
    """Raise TimeSpent in the main thread after so many seconds."""

    def raise_time_spent(number: int, frame: FrameType | None) -> None:
        raise TimeSpent

    before = signal.signal(signal.SIGALRM, raise_time_spent)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class GpuReport:
    """The result file: what it holds is written after every figure."""

    def __init__(self, file: Path | None, content: dict[str, Any]) -> None:
        self.file, self.content = file, content

    def record(self, part: str, name: str, value: Any) -> None:
        """Keep a figure of a part, and print it."""
        self.content["parts"].setdefault(part, {"figures": {}})["figures"][name] = value
        print(f"{part}: {name} = {json.dumps(value)}", flush=True)
        self.save()

    def close_part(self, part: str, status: str, seconds: float) -> None:
        """Keep how a part ended: `done`, `time spent`, `skipped` or the traceback of its failure."""
        found = self.content["parts"].setdefault(part, {"figures": {}})
        found |= {"status": status, "seconds": round(seconds, 1)}
        print(f"{part}: {status} after {seconds:.1f} s", flush=True)
        self.save()

    def save(self) -> None:
        """Write the file. A kill while it is written leaves the file of before."""
        if self.file:
            draft = self.file.with_suffix(".part")
            write_result(draft, self.content)
            draft.replace(self.file)


def run_parts(report: GpuReport, names: Sequence[str], setup: gpu_timing.Setup, seconds: float) -> list[str]:
    """Run parts within the time. Returns the names of those that need a new process, after an error of the GPU."""
    total, start = sum(gpu_parts.PARTS[name].share for name in names), time.perf_counter()
    allowed = 0.0
    for place, name in enumerate(names):
        part, begun = gpu_parts.PARTS[name], time.perf_counter()
        allowed += part.share / total * seconds  # what earlier parts left is added
        left = allowed - (begun - start)
        if left < TOO_SHORT:
            report.close_part(name, "skipped: no time was left", 0)
            continue
        status = run_part(
            part.measure, setup, lambda figure, value, name=name: report.record(name, figure, value), left
        )
        report.close_part(name, status, time.perf_counter() - begun)
        if setup.is_gpu and is_gpu_broken():
            return list(names[place + 1 :])
    return []


def run_part(measure: gpu_timing.Measurement, setup: gpu_timing.Setup, record: gpu_timing.Record, left: float) -> str:
    """Run one part; returns how it ended."""
    try:
        with end_after(left):
            measure(setup, record, time.perf_counter() + left)
    except TimeSpent:
        return "time spent"
    except Exception:
        return traceback.format_exc()
    finally:
        gpu_timing.free_gpu_memory(setup)
    return "done"


def is_gpu_broken() -> bool:
    """Whether this process can't use its GPU any more, as after an access to memory that is not its own."""
    try:
        torch.ones(1, device="cuda").sum().item()
    except RuntimeError:
        return True
    return False


def describe_gpu(device: str) -> dict[str, Any]:
    """Device, driver and versions."""
    installed = [name for name in ("numpy", "torch", "triton", "numba", "opencv-python-headless") if is_installed(name)]
    found = {"device": device_name(device), **describe_machine(*installed)}
    found["cores allowed"] = len(os.sched_getaffinity(0))
    if device == "cpu":
        return found
    own = torch.cuda.get_device_properties(device)
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return found | {
        "capability": f"{own.major}.{own.minor}",
        "GiB": round(own.total_memory / 2**30, 1),
        "multiprocessors": own.multi_processor_count,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "driver": read_command_output(asked),
    }


def is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def read_command_output(command: Sequence[str]) -> str:
    """First line of a command's output, or why there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as failure:
        return repr(failure)
    return (done.stdout.splitlines() or [f"exit status {done.returncode}"])[0]


def device_name(device: str) -> str:
    """`NVIDIA H200`, or `cpu`."""
    return device if device == "cpu" else torch.cuda.get_device_name(device)


def default_file(device: str, small: bool) -> Path | None:
    """benchmarks/results/gpu-DEVICE.json; none for small sizes, whose figures mean nothing."""
    slug = re.sub(r"[^a-z0-9]+", "-", device_name(device).lower()).strip("-")
    return None if small else RESULTS / f"gpu-{slug}.json"


def read_other_parts(file: Path, machine: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of an earlier result for the same device and the same versions, which a run of some parts keeps."""
    earlier = json.loads(file.read_text()) if file.exists() else {"machine": {}, "parts": {}}
    same = all(earlier["machine"].get(name) == machine[name] for name in ("device", "versions"))
    return dict(earlier["parts"]) if same else {}


def print_summary(content: dict[str, Any]) -> None:
    """The parts, then every ratio to two CPU cores."""
    print(f"\n{content['machine']['device']}, {content['seconds']:.0f} s\n")
    for name, part in content["parts"].items():
        print(f"{name:12} {part['seconds']:6.1f} s  {part['status'].strip().splitlines()[-1]}")
    print()
    for name, part in content["parts"].items():
        for figure, value in part["figures"].items():
            if figure.endswith(GPU_RATIO):
                verdict = "" if value >= WORTH_KEEPING else f"  LESS THAN {WORTH_KEEPING:.0f}"
                print(f"{name:12} {figure:60} {value:8.1f}{verdict}")


def parse_options() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to test the script; writes only to --out")
    parser.add_argument("--minutes", type=float, default=7.0, help="time for all parts; default: %(default)s")
    parser.add_argument("--part", nargs="+", choices=gpu_parts.PARTS, metavar="NAME", help=", ".join(gpu_parts.PARTS))
    parser.add_argument("--out", type=Path, help="file of the result; default: benchmarks/results/gpu-DEVICE.json")
    return parser.parse_args()


def main() -> None:
    options, start = parse_options(), time.perf_counter()
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch sees no NVIDIA GPU here. Without one, --device cpu --small tests the script.")
    os.environ["MER_DEVICE"] = options.device
    # As training sets it, which is too late after the first product of matrices.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if (gpu_training.BUNDLE / "weights").exists():
        os.environ.setdefault("MER_WEIGHTS_DIR", str(gpu_training.BUNDLE / "weights"))
    file = options.out or default_file(options.device, options.small)
    chosen = [name for name in gpu_parts.PARTS if name in (options.part or gpu_parts.PARTS)]
    content = {"benchmark": "gpu", "machine": describe_gpu(options.device), "small": options.small, "seconds": 0.0}
    content["parts"] = read_other_parts(file, content["machine"]) if options.part and file else {}
    content["seconds"] = sum(part["seconds"] for part in content["parts"].values())
    report, before = GpuReport(file, content), content["seconds"]
    setup = gpu_timing.Setup(options.device, options.small)
    missing = run_parts(report, chosen, setup, 60 * options.minutes - (time.perf_counter() - start))
    content["seconds"] = round(before + time.perf_counter() - start, 1)
    report.save()
    left = options.minutes - (time.perf_counter() - start) / 60
    if missing and file:
        restart_process(options, file, missing, left)
    print_summary(content)


def restart_process(options: argparse.Namespace, file: Path, names: Sequence[str], minutes: float) -> None:
    """Replace this process by one that runs the other parts."""
    print(f"The GPU gave an error that ends this process; a new one runs {', '.join(names)}.", flush=True)
    choices = ["--device", options.device, "--minutes", str(minutes), "--out", str(file)]
    small = ["--small"] if options.small else []
    os.execv(sys.executable, [sys.executable, __file__, *choices, *small, "--part", *names])


if __name__ == "__main__":
    main()
