"""Flow: the compiled solver and the one on tensors against the sparse direct one, in the same run, on the same pairs.

    python benchmarks/flow.py       # a minute or two; writes benchmarks/results/flow-cpu.json, flow-cuda.json on a GPU

Pairs are the recorded face (tests/data/flow.npz) enlarged to the given size, with fresh camera noise: frames 0-7 of
the drawn motion (2.5 px, large), 4-5 (small), and magnified ones. The direct solver is SciPy's SuperLU in its faster,
symmetric ordering, one thread (it has no more); the compiled one uses NUMBA_NUM_THREADS. CPU seconds are the fair
figure on a busy machine; wall seconds stand beside them. Tensors are computed on MER_DEVICE, by default a GPU where
there is one: a clip's worth of pairs in one batch there, a few on a CPU.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import cv2
import numba
import numpy as np
import torch

from benchmarks.machine import describe_machine
from services.flow.black_anandan import flow
from shared.device import choose_device

ROOT = Path(__file__).parent
SIZES = ((280, 224), (112, 96))  # rows, columns


def noisy_face_pairs(shape: tuple[int, int], noise: float) -> tuple[Any, Any]:
    """Three uint8 pairs of the recorded face at a size, with Gaussian noise of `noise` grey levels."""
    rng = np.random.default_rng(0)
    with np.load(ROOT.parent / "tests" / "data" / "flow.npz", allow_pickle=False) as arrays:
        both = [arrays["face_im1"][:3].astype(np.float32), arrays["face_im2"][:3].astype(np.float32)]
    sized = [np.stack([cv2.resize(image, shape[::-1], interpolation=cv2.INTER_CUBIC) for image in one]) for one in both]
    noisy = [np.clip(np.rint(one + rng.normal(0, noise, one.shape)), 0, 255).astype(np.uint8) for one in sized]
    return noisy[0], noisy[1]


def time_flow(first: Any, second: Any, profile: str, solver: Any) -> tuple[Any, float, float]:
    """Flow, CPU and wall seconds per pair."""
    cpu, wall = time.process_time(), time.perf_counter()
    uv = flow(first, second, profile, solver)
    return uv, (time.process_time() - cpu) / len(first), (time.perf_counter() - wall) / len(first)


def measure_solvers(shape: tuple[int, int], profile: str, batch: int) -> dict[str, Any]:
    """Both solvers at one size: the direct one once per pair, the compiled one on a clip's worth of pairs."""
    first, second = noisy_face_pairs(shape, noise=2.0)
    flow(first[:1], second[:1], profile)  # compile or load
    exact, exact_cpu, exact_wall = time_flow(first, second, profile, "exact")
    many = [np.concatenate([one] * (batch // len(one))) for one in (first, second)]
    runs = [time_flow(*many, profile, "fast") for _ in range(3)]
    fast_cpu, fast_wall = (min(run[k] for run in runs) for k in (1, 2))
    off = np.abs(runs[0][0][: len(first)] - exact)
    tensors = measure_on_tensors(first, second, profile, batch, exact, runs[0][0][: len(first)])
    return {
        "rows x columns": f"{shape[0]} x {shape[1]}",
        "profile": profile,
        "exact s CPU per pair": round(exact_cpu, 3),
        "exact s wall per pair": round(exact_wall, 3),
        "fast s CPU per pair": round(fast_cpu, 4),
        "fast s wall per pair": round(fast_wall, 4),
        "ratio CPU": round(exact_cpu / fast_cpu),
        "ratio wall": round(exact_wall / fast_wall),
        "difference px mean": float(f"{off.mean():.2g}"),
        "difference px max": float(f"{off.max():.2g}"),
        "pairs exact, fast": [len(first), len(many[0])],
        "torch": tensors,
    }


def measure_on_tensors(first: Any, second: Any, profile: str, batch: int, exact: Any, fast: Any) -> dict[str, Any]:
    """The third solver: pairs per second of a batch, its difference to the others, and the memory that it took."""
    where = choose_device()
    gpu = where.startswith("cuda")
    many = [np.concatenate([one] * max(1, batch // len(one) if gpu else 1)) for one in (first, second)]
    time_flow(*many, profile, "torch")  # loads kernels, fills the allocator's cache
    if gpu:
        torch.cuda.reset_peak_memory_stats(where)
    uv, cpu, wall = min((time_flow(*many, profile, "torch") for _ in range(3)), key=lambda run: run[2])
    peak = torch.cuda.max_memory_allocated(where) / many[0].size if gpu else None
    return {
        "device": torch.cuda.get_device_name(where) if gpu else where,
        "threads": torch.get_num_threads(),
        "pairs": len(many[0]),
        "s CPU per pair": round(cpu, 4),
        "s wall per pair": round(wall, 5),
        "pairs per second": round(1 / wall, 1),
        "GPU bytes per pixel of a pair": peak and round(peak),
        **difference_figures("exact", uv[: len(first)] - exact),
        **difference_figures("fast", uv[: len(first)] - fast),
    }


def difference_figures(solver_name: str, difference: Any) -> dict[str, float]:
    """Mean and largest difference to another solver, px."""
    return {
        f"difference to {solver_name} px {name}": float(f"{figure:.2g}")
        for name, figure in (("mean", np.abs(difference).mean()), ("max", np.abs(difference).max()))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=90, help="pairs per timed run of the fast solver (a clip has 90)")
    parser.add_argument("--size", type=int, nargs=2, action="append", help="rows and columns; may be repeated")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / f"flow-{choose_device().partition(':')[0]}.json")
    options = parser.parse_args()
    sizes = [tuple(size) for size in options.size] if options.size else SIZES
    results = [measure_solvers(shape, profile, options.batch) for shape in sizes for profile in ("corrected", "paper")]
    threads = {
        "threads of the fast solver": numba.get_num_threads(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "unset"),
    }
    about = {**describe_machine("numpy", "scipy", "numba", "opencv-python-headless", "torch"), **threads}
    report = {"benchmark": "flow", "machine": about, "results": results}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
