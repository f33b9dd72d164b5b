"""Flow: its two CPU solvers against each other, and its method beside OpenCV's, in the same run, on the same pairs.

    PYTHONPATH=. python benchmarks/flow.py solvers  # two minutes; benchmarks/results/flow-cpu.json
    PYTHONPATH=. python benchmarks/flow.py peers    # minutes; benchmarks/results/flow-peers.json
    PYTHONPATH=. python benchmarks/flow.py          # both

Part `peers` is described in `benchmarks/flow_peers.py`. The rest of this text is about `solvers`.

Pairs are the recorded face (tests/data/flow.npz) enlarged to the given size, with fresh camera noise: frames 0-7 of
the drawn motion (2.5 px, large), 4-5 (small), and magnified ones. The direct solver is SciPy's SuperLU in its faster,
symmetric ordering, which has one thread. The compiled solver uses NUMBA_NUM_THREADS. Compare CPU seconds: on a busy
machine they are more reliable than wall seconds. The solver on tensors is measured by `gpu.py`.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import cv2
import numba
import numpy as np

from benchmarks import flow_peers
from benchmarks.common import (
    Timing,
    argument_parser,
    describe_machine,
    read_result,
    result_file,
    time_call,
    write_result,
)
from services.flow.black_anandan import estimate_flow

RECORDED_FACE = Path(__file__).parents[1] / "tests" / "data" / "flow.npz"
SIZES = ((280, 224), (112, 96))  # rows, columns


def noisy_face_pairs(shape: tuple[int, int], noise: float) -> tuple[Any, Any]:
    """Three pairs uint8 [3, H, W] of the recorded face at a size, with Gaussian noise of `noise` grey levels."""
    rng = np.random.default_rng(0)
    with np.load(RECORDED_FACE, allow_pickle=False) as arrays:
        both = [arrays["face_im1"][:3].astype(np.float32), arrays["face_im2"][:3].astype(np.float32)]
    sized = [np.stack([cv2.resize(image, shape[::-1], interpolation=cv2.INTER_CUBIC) for image in one]) for one in both]
    noisy = [np.clip(np.rint(one + rng.normal(0, noise, one.shape)), 0, 255).astype(np.uint8) for one in sized]
    return noisy[0], noisy[1]


def time_flow(first: Any, second: Any, profile: str, solver: Any, runs: int = 1) -> Timing[Any]:
    """The flow [N, 2, H, W] of N pairs, and the least CPU and wall seconds per pair."""
    timed = time_call(lambda: estimate_flow(first, second, profile, solver), runs)
    return Timing(timed.result, timed.cpu_seconds / len(first), timed.wall_seconds / len(first))


def measure_solvers(shape: tuple[int, int], profile: str, batch: int) -> dict[str, Any]:
    """Both solvers at one size: the direct one once per pair, the compiled one on the pairs of a clip."""
    first, second = noisy_face_pairs(shape, noise=2.0)
    estimate_flow(first[:1], second[:1], profile)  # compile or load
    exact = time_flow(first, second, profile, "exact")
    many = [np.concatenate([one] * (batch // len(one))) for one in (first, second)]
    fast = time_flow(*many, profile, "fast", runs=3)
    off = np.abs(fast.result[: len(first)] - exact.result)
    return {
        "rows x columns": f"{shape[0]} x {shape[1]}",
        "profile": profile,
        "exact s CPU per pair": round(exact.cpu_seconds, 3),
        "exact s wall per pair": round(exact.wall_seconds, 3),
        "fast s CPU per pair": round(fast.cpu_seconds, 4),
        "fast s wall per pair": round(fast.wall_seconds, 4),
        "ratio CPU": round(exact.cpu_seconds / fast.cpu_seconds),
        "ratio wall": round(exact.wall_seconds / fast.wall_seconds),
        "difference px mean": float(f"{off.mean():.2g}"),
        "difference px max": float(f"{off.max():.2g}"),
        "pairs exact, fast": [len(first), len(many[0])],
    }


def run_solvers(options: argparse.Namespace) -> dict[str, Any]:
    """The report of part `solvers`."""
    sizes = [tuple(size) for size in options.size] if options.size else SIZES
    results = [measure_solvers(shape, profile, options.batch) for shape in sizes for profile in ("corrected", "paper")]
    threads = {
        "threads of the fast solver": numba.get_num_threads(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "unset"),
    }
    machine = {**describe_machine("numpy", "scipy", "numba", "opencv-python-headless"), **threads}
    return {"benchmark": "flow", "machine": machine, "results": results}


def run_peers(options: argparse.Namespace) -> dict[str, Any]:
    """The report of part `peers`, with the stored rows of the methods that do not run."""
    methods = {name: run for name, run in flow_peers.peer_methods().items() if name in (options.methods or [name])}
    stored = read_result("flow-peers") or {"results": []}
    kept = [row for row in stored["results"] if row["method"] not in methods]
    results = flow_peers.compare_methods(methods, options.seeds, options.lengths)
    machine = describe_machine("numpy", "numba", "opencv-python-headless")
    return {"benchmark": "flow, peers", "machine": machine, "seeds": options.seeds, "results": results + kept}


def main() -> None:
    parser = argument_parser(__doc__, result_file("flow-cpu"))
    parser.add_argument("part", nargs="?", choices=("solvers", "peers", "both"), default="both")
    parser.add_argument("--batch", type=int, default=90, help="pairs per timed run of the fast solver (a clip has 90)")
    parser.add_argument("--size", type=int, nargs=2, action="append", help="rows and columns; may be repeated")
    parser.add_argument("--seeds", type=int, nargs="+", default=[51, 52, 53], help="of the persons of part peers")
    parser.add_argument("--lengths", type=float, nargs="+", default=flow_peers.LENGTHS, help="px, of part peers")
    parser.add_argument("--methods", nargs="+", help="of part peers; default: all that are installed")
    options = parser.parse_args()
    if options.part != "peers":
        write_result(options.out, report := run_solvers(options))
        print(json.dumps(report, indent=2))
    if options.part != "solvers":
        write_result(result_file("flow-peers"), run_peers(options))


if __name__ == "__main__":
    main()
