"""The parts of `benchmarks/gpu.py`: what each measures. A part records every figure as soon as it has it.

A name that ends with RATIO is the speed of the GPU over that of two CPU cores.
"""

import os
from typing import Any
from unittest import mock

import numba
import numpy as np

from benchmarks import gpu_tests
from benchmarks.common import GPU_RATIO as RATIO
from benchmarks.evm import zooming_clip
from benchmarks.flow import noisy_face_pairs
from benchmarks.gpu_timing import (
    Part,
    Record,
    Repeats,
    Setup,
    count_kernels,
    describe_difference,
    free_gpu_memory,
    limit_cpu_threads,
    peak_gpu_bytes,
    round_figure,
    time_repeats,
)
from benchmarks.gpu_training import measure_folds, measure_loso, measure_steps
from services.flow import torch_flow
from services.flow.black_anandan import estimate_flow
from services.flow.stage import compute as compute_flows
from services.flow.torch_flow import estimate_flow_torch
from services.interpolator.rife import Rife
from services.interpolator.stage import compute as interpolate_clip
from services.interpolator.stage import load_network
from services.magnifier.stage import compute as magnify_clip
from shared.device import choose_device
from shared.stage_settings.flow import FLOW_PROFILES
from shared.stage_settings.interpolator import InterpolatorSettings
from shared.stage_settings.magnifier import MAGNIFIER_PROFILES


def run_tests(setup: Setup, record: Record, deadline: float) -> None:
    """All tests with the marker `gpu`. The CPU's kernels are compiled before, as else each process compiles them."""
    for profile_name in FLOW_PROFILES:
        estimate_flow(*(images[:1, :64, :64] for images in noisy_face_pairs((64, 64), noise=2.0)), profile_name, "fast")
    processes = setup.choose_size(max(1, min(12, (os.cpu_count() or 1) - 2)), 1)
    for name, outcome in gpu_tests.run_gpu_tests(processes, deadline - 1).items():
        record(name, outcome)


def measure_flow(setup: Setup, record: Record, deadline: float) -> None:
    """Pairs per second by batch and profile, against the compiled CPU solver; differences, memory and kernels."""
    pairs = noisy_face_pairs(setup.choose_size((280, 224), (20, 16)), noise=2.0)
    cpu = measure_cpu_flow(setup, record, pairs)
    wanted = [("corrected", 90), ("paper", 90), ("corrected", 360), ("corrected", 900), ("corrected", 30)]
    for profile_name, batch in setup.choose_size([*wanted, ("corrected", 9)], [("corrected", 3), ("paper", 3)]):
        measure_flow_batch(setup, record, pairs, (profile_name, batch), cpu[profile_name])
    measure_plain_tensors(setup, record, pairs)
    measure_flow_stage(setup, record, pairs)
    few = [images[:3] for images in pairs]
    count_flow_kernels(setup, record, few)
    exact = estimate_flow(few[0][:1], few[1][:1], "corrected", "exact")
    found = estimate_flow_torch(few[0][:1], few[1][:1], FLOW_PROFILES["corrected"], setup.device)
    record("corrected, difference to exact px", describe_difference(found, exact))


def measure_cpu_flow(setup: Setup, record: Record, pairs: Any) -> dict[str, Repeats]:
    """The compiled solver on two threads, by profile; and on all threads."""
    found = {}
    many = [repeat_pairs(images, setup.choose_size(18, 3)) for images in pairs]
    for profile_name in FLOW_PROFILES:
        with limit_cpu_threads(setup, 2):
            found[profile_name] = time_repeats(setup, lambda name=profile_name: estimate_flow(*many, name, "fast"), 2)
        record(f"{profile_name}, two CPU cores, a pair", found[profile_name].describe(len(many[0])))
    everything = [repeat_pairs(images, setup.choose_size(90, 3)) for images in pairs]
    own = time_repeats(setup, lambda: estimate_flow(*everything, "corrected", "fast"), 2)
    about = {"threads": numba.get_num_threads(), "pairs per s": round_figure(len(everything[0]) / own.median_s)}
    record("corrected, all CPU cores", about)
    return found


def repeat_pairs(images: Any, count: int) -> Any:
    """Images [3, H, W] -> [count, H, W], over and over."""
    return images[np.arange(count) % len(images)]


def measure_flow_batch(setup: Setup, record: Record, pairs: Any, choice: tuple[str, int], cpu: Repeats) -> None:
    """One batch of one profile: speed, memory, difference to the compiled solver, and the ratio."""
    profile_name, batch = choice
    many = [repeat_pairs(images, batch) for images in pairs]
    free_gpu_memory(setup)

    def estimate() -> Any:
        return estimate_flow_torch(*many, FLOW_PROFILES[profile_name], setup.device, batch)

    if setup.is_gpu:
        estimate()  # the first call of a size compiles, the second one records, later ones replay
    timed = time_repeats(setup, estimate, longest=2.0)
    peak = peak_gpu_bytes(setup)
    per_pair, count = timed.median_s / batch, min(batch, len(cpu.result))
    about = {"pairs per s": round_figure(1 / per_pair), **timed.describe()}
    record(f"{profile_name}, batch {batch}", about | {"bytes per pixel of a pair": peak and round(peak / many[0].size)})
    if batch in (3, 90):
        off = describe_difference(timed.result[:count], cpu.result[:count])
        record(f"{profile_name}, batch {batch}, difference to fast px", off)
    record(f"{profile_name}, batch {batch}, {RATIO}", round_figure(cpu.median_s / len(cpu.result) / per_pair))


def measure_plain_tensors(setup: Setup, record: Record, pairs: Any) -> None:
    """A batch on tensors alone: without own kernels, and each launch by itself."""
    batch = setup.choose_size(90, 3)
    many = [repeat_pairs(images, batch) for images in pairs]
    with mock.patch.object(torch_flow, "kernel_solver", return_value=None):
        timed = time_repeats(
            setup,
            lambda: torch_flow.estimate_flow_torch(
                *many, FLOW_PROFILES["corrected"], setup.device, batch, torch_flow.estimate_flow_batch
            ),
            2,
        )
    about = {"pairs per s": round_figure(batch / timed.median_s), **timed.describe()}
    record(f"corrected, batch {batch}, without kernels and graph", about)


def measure_flow_stage(setup: Setup, record: Record, pairs: Any) -> None:
    """The whole stage for a clip of ten factors: colours to grey, the flow, and its conversion to float16."""
    both = np.stack([repeat_pairs(pairs[place % 2], setup.choose_size(10, 1)) for place in range(10)], 1)
    inputs = {"magnifier": {"frames": np.repeat(both[..., None], 3, -1), "factors": np.arange(len(both)) / 5}}
    usual = FLOW_PROFILES["corrected"]
    with limit_cpu_threads(setup, 2):
        plain = time_repeats(setup, lambda: compute_flows(inputs, usual)["flows"], 2)
    record("the stage, two CPU cores, a clip", plain.describe())
    on_tensors = usual.model_copy(update={"solver": "torch"})
    tensors = time_repeats(setup, lambda: compute_flows(inputs, on_tensors)["flows"], longest=2.0)
    record("the stage, torch, a clip", {"device": choose_device(), **tensors.describe()})
    record(f"the stage, torch, a clip, {RATIO}", round_figure(plain.median_s / tensors.median_s))


def count_flow_kernels(setup: Setup, record: Record, pairs: Any) -> None:
    found = count_kernels(
        setup, lambda: estimate_flow_torch(*pairs, FLOW_PROFILES["corrected"], setup.device, len(pairs[0]))
    )
    record("corrected, a batch", found)


def measure_rife(setup: Setup, record: Record, deadline: float) -> None:
    """Midpoints in both precisions, and whole clips. A CPU's time of a clip is that of its midpoints alone."""
    clip = zooming_clip()[:, :: setup.choose_size(1, 4), :: setup.choose_size(1, 4)]
    cpu_pairs, cpu = clip[: setup.choose_size(5, 2)], load_network("cpu")
    with limit_cpu_threads(setup, 2):
        plain = time_repeats(setup, lambda: cpu.midpoints(cpu_pairs[:-1], cpu_pairs[1:]), 2)
    record("float32, two CPU cores, a midpoint", plain.describe(len(plain.result)))
    for precision in ("float32", "bfloat16"):
        network = load_network(setup.device, precision)
        for count in setup.choose_size((64, 6, 1), (1,)):
            pairs = repeat_pairs(clip, count + 1)
            timed = time_repeats(setup, lambda n=network, p=pairs: n.midpoints(p[:-1], p[1:]), longest=1.0)
            record(f"{precision}, {count} midpoints, a midpoint", timed.describe(count))
        found = network.midpoints(cpu_pairs[:-1], cpu_pairs[1:])
        record(f"{precision}, difference to the CPU, grey levels", describe_difference(255 * found, 255 * plain.result))
        measure_interpolation(setup, record, clip, network, precision, plain.median_s / len(plain.result))


def measure_interpolation(
    setup: Setup, record: Record, clip: Any, network: Rife, precision: str, cpu_midpoint_s: float
) -> None:
    """All frames that the stage shows of the first 7 frames of a clip [T, H, W, 3], at 25 frames/s, apex 3."""
    marks = {"onset": 0, "apex": 3, "offset": 6, "fps": 25.0}
    inputs = {"frames": clip[:7], **{name: np.asarray(value) for name, value in marks.items()}}
    settings, before = InterpolatorSettings(blend_below=0), network.forwards  # RIFE alone
    interpolate_clip({"ingest": inputs}, settings, network)
    midpoints = network.forwards - before
    timed = time_repeats(setup, lambda: interpolate_clip({"ingest": inputs}, settings, network), longest=1.0)
    record(f"{precision}, a clip of 7 frames", timed.describe() | {"midpoints": midpoints})
    ratio = round_figure(midpoints * cpu_midpoint_s / timed.median_s)
    record(f"{precision}, a clip of 7 frames, {RATIO}", ratio)


def measure_magnet(setup: Setup, record: Record, deadline: float) -> None:
    """The magnifier's stage with MagNet for a clip at all factors, on the device and on two CPU cores."""
    clip = zooming_clip()[:, :: setup.choose_size(1, 4), :: setup.choose_size(1, 4)]
    inputs = {"interpolator": {"frames": clip, "fps": np.asarray(25.0)}}
    learned = MAGNIFIER_PROFILES["corrected"].model_copy(update={"method": "magnet"})
    with limit_cpu_threads(setup, 2), mock.patch.dict(os.environ, MER_DEVICE="cpu"):
        plain = time_repeats(setup, lambda: magnify_clip(inputs, learned)["frames"], 2)
    about = {"frames": len(clip), "factors": len(learned.factors)}
    record("a clip, two CPU cores", plain.describe() | about)
    free_gpu_memory(setup)
    tensors = time_repeats(setup, lambda: magnify_clip(inputs, learned)["frames"], longest=2.0)
    peak = peak_gpu_bytes(setup)
    record("a clip", tensors.describe() | {"GiB": peak and round(peak / 2**30, 2)})
    record("difference to the CPU, grey levels", describe_difference(tensors.result, plain.result))
    record(f"a clip, {RATIO}", round_figure(plain.median_s / tensors.median_s))


PARTS = {  # in the order of their importance
    "tests": Part(run_tests, 110),
    "flow": Part(measure_flow, 75),
    "fmer": Part(measure_steps, 70),
    "folds": Part(measure_folds, 65),
    "loso": Part(measure_loso, 90),
    "rife": Part(measure_rife, 25),
    "magnet": Part(measure_magnet, 20),
}
