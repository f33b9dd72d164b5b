"""The parts of `benchmarks/gpu.py` about training: steps, folds side by side, and leave-one-subject-out runs."""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import numpy as np
import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import GPU_RATIO as RATIO
from benchmarks.gpu_features import load_features
from benchmarks.gpu_timing import (
    Record,
    Setup,
    describe_difference,
    free_gpu_memory,
    limit_cpu_threads,
    peak_gpu_bytes,
    round_figure,
    time_repeats,
    wait_for_device,
)
from benchmarks.training import CLASSES, create_training_loop, random_features
from services.trainer.data.features import Features, FeatureSubset
from services.trainer.folds.cross_validation import FoldPool, FoldProgress, run_folds
from services.trainer.learners.batch_source import TrainingDevice
from services.trainer.learners.network import NetworkLearner, deterministic_torch
from services.trainer.report.summary import pooled_figures
from shared.training.protocol import FoldSplit, loso_folds
from shared.training.settings import TrainSettings, settings_from_profile

BUNDLE = Path(__file__).parents[1] / "gpu-bundle"
MODELS = ("fmer", "fmer-lite")
PRECISIONS = ("bf16", "float32")
RECORDING_EPOCHS = 3  # the first of a fold, in which the graph of its last, short batch is recorded


def measure_steps(setup: Setup, record: Record, deadline: float) -> None:
    """Training steps of both networks in both precisions, with the share of the matrix units' peak."""
    peaks = measure_matmul_peaks(setup, record)
    for model in MODELS:
        features = random_features(setup.choose_size(8, 1), setup.choose_size(30, 2))
        cpu = measure_cpu_step(setup, record, model)
        for precision in PRECISIONS:
            settings = settings_from_profile(model=model, batch=setup.choose_size(16, 2), precision=precision)
            measure_step(setup, record, features, settings, cpu, peaks)
        record_prediction_difference(setup, record, features, model)


def measure_matmul_peaks(setup: Setup, record: Record) -> dict[str, float]:
    """FLOP/s of one large product of matrices, by precision; `tf32` is what float32 may use on tensor cores.

    `bytes`: bytes that a copy on the device reads and writes per second.
    """
    found = {"bf16": time_matmul(setup, torch.bfloat16), "float32": time_matmul(setup, torch.float32)}
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        found["tf32"] = time_matmul(setup, torch.float32)
    finally:
        torch.set_float32_matmul_precision(before)
    for name, peak in found.items():
        record(f"peak TFLOP/s, {name}, product of matrices", round_figure(peak / 1e12))
    one = torch.randn(setup.choose_size(2**28, 2**16), device=setup.device)
    other = torch.empty_like(one)
    found["bytes"] = 2 * one.nbytes / time_repeats(setup, lambda: other.copy_(one), 9, longest=1.0).median_s
    record("peak TB/s, copy on the device", round_figure(found["bytes"] / 1e12))
    return found


def time_matmul(setup: Setup, dtype: torch.dtype) -> float:
    """FLOP/s of a product of two square matrices."""
    side = setup.choose_size(8192, 128)
    one = torch.randn(side, side, device=setup.device, dtype=dtype)
    return 2 * side**3 / time_repeats(setup, lambda: one @ one, 9, longest=1.0).median_s


def measure_cpu_step(setup: Setup, record: Record, model: str) -> float:
    """Seconds of a step per clip on two CPU cores: two threads, or two processes of one thread, if those are faster.

    Folds have one thread each. The first step of `fmer` counts, as a second one would cost seconds.
    """
    clips = setup.choose_size({"fmer": 4, "fmer-lite": 64}[model], 2)
    features, settings = random_features(1, clips), settings_from_profile(model=model, batch=min(16, clips))
    found = {}
    for name, threads, share in (("two threads", 2, 1.0), ("two processes", 1, 0.5)):
        if model == "fmer" and threads == 1:
            continue
        with limit_cpu_threads(setup, threads), deterministic_torch(0):
            loop = create_training_loop(features, settings)
            if model == "fmer":
                start = time.perf_counter()
                loop.run_epoch(0)
                seconds = time.perf_counter() - start
            else:
                seconds = time_repeats(setup, lambda loop=loop: loop.run_epoch(0), 3, longest=1.0).median_s
        found[name] = round_figure(share * seconds / clips)
    record(f"{model} float32, CPU s per clip and step", found)
    return min(found.values())


def measure_step(
    setup: Setup,
    record: Record,
    features: Features,
    settings: TrainSettings,
    cpu_s_per_clip: float,
    peaks: Mapping[str, float],
) -> None:
    """Steps per second over epochs of all clips, memory, FLOPs, and the convolutions' share of the peak."""
    name = f"{settings.model} {settings.precision}"
    free_gpu_memory(setup)
    with deterministic_torch(0):
        loop = create_training_loop(features, settings, TrainingDevice(setup.device))
        timed = time_repeats(setup, lambda: loop.run_epoch(0), 4)
        step_s = timed.median_s / loop.steps_per_epoch
        peak = peak_gpu_bytes(setup)
        about = {"steps per s": round_figure(1 / step_s), **timed.describe(loop.steps_per_epoch)}
        record(f"{name}, a step", about | {"batch": settings.batch, "GiB": peak and round(peak / 2**30, 2)})
        record(f"{name}, {RATIO}", round_figure(cpu_s_per_clip * len(features) / timed.median_s))
        loop.run_step = loop.training_step  # no CUDA graph
        eager = time_repeats(setup, lambda: loop.run_epoch(0), 1)
        record(f"{name}, a step without a graph", eager.describe(loop.steps_per_epoch))
        batch = replace_rows(features, settings.batch)
        loop = create_training_loop(batch, settings, TrainingDevice(setup.device))
        loop.run_step = loop.training_step  # no CUDA graph, whose kernels belong to no operator
        flops = count_flops(lambda: loop.run_epoch(0))
        spent = time_operators(setup, lambda: loop.run_epoch(0))
        floor = ConvolutionFloor.measure(lambda: loop.run_epoch(0), peaks)
    convolutions = sum(count for operator, count in flops.items() if "conv" in operator)
    record(f"{name}, GFLOP of a step", {operator: round_figure(count / 1e9) for operator, count in flops.items()})
    record(f"{name}, GPU seconds of a step", spent)
    peak_name = "bf16" if settings.precision == "bf16" else "float32"
    shares = {f"all FLOPs of a step, of {peak_name}": sum(flops.values()) / step_s / peaks[peak_name]}
    if spent.get("convolutions"):
        for against in {peak_name, *(["tf32"] if peak_name == "float32" else [])}:
            shares[f"convolutions while they run, of {against}"] = convolutions / spent["convolutions"] / peaks[against]
    if floor.seconds and settings.precision == "bf16":
        shares["convolutions at best: the most that their memory traffic allows"] = (
            floor.flops / peaks["bf16"] / floor.seconds
        )
    record(f"{name}, share of the peak", {key: round_figure(share) for key, share in shares.items()})


class ConvolutionFloor(TorchDispatchMode):
    """The least seconds of the convolutions of bf16 steps: the longer of arithmetic at the peak and of memory traffic.

    Each pass (result, gradient of the input, of the weights) reads and writes its tensors once, at the speed of a copy.
    """

    def __init__(self, peaks: Mapping[str, float]) -> None:
        super().__init__()
        self.peaks, self.flops, self.seconds = peaks, 0.0, 0.0

    @classmethod
    def measure(cls, work: Callable[[], Any], peaks: Mapping[str, float]) -> "ConvolutionFloor":
        with cls(peaks) as floor:
            work()
        return floor

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if function is torch.ops.aten.convolution.default:
            self.add_passes(args[0], args[1], result, args[3], 1)
        elif function is torch.ops.aten.convolution_backward.default:
            gradient, image, weight, stride, wanted = args[0], args[1], args[2], args[4], args[10]
            self.add_passes(image, weight, gradient, stride, sum(wanted[:2]))
        return result

    def add_passes(self, image: Any, weight: Any, found: Any, stride: Sequence[int], passes: int) -> None:
        """Count so many passes between an image and what its convolution gives, each as large as the first one."""
        flops = 2 * found.numel() * weight[0].numel()
        seen = image.nbytes / (prod(stride) if prod(weight.shape[2:]) == 1 else 1)  # a 1x1 window skips pixels
        traffic = (seen + weight.nbytes + found.nbytes) / self.peaks["bytes"]
        self.flops += passes * flops
        self.seconds += passes * max(flops / self.peaks["bf16"], traffic)


def replace_rows(features: Features, count: int) -> Features:
    """The first clips alone."""
    arrays = {name: array[:count] for name, array in features.arrays.items()}
    labels = {name: getattr(features, name)[:count] for name in ("emotions", "aus", "au_coded", "subjects", "names")}
    return replace(features, arrays=arrays, **labels)


def count_flops(work: Callable[[], Any]) -> dict[str, int]:
    """FLOPs of a call by operator."""
    with FlopCounterMode(display=False) as counter:
        work()
    return {str(operator): count for operator, count in counter.get_flop_counts()["Global"].items()}


def time_operators(setup: Setup, work: Callable[[], Any]) -> dict[str, Any]:
    """Seconds that the GPU is busy in a call: of all kernels, of convolutions, and of the longest kernels."""
    if not setup.is_gpu:
        return {}
    work()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        work()
        wait_for_device(setup)
    events = seen.key_averages()
    kernels = [event for event in events if event.device_type == DeviceType.CUDA]
    kernels.sort(key=lambda event: -event.self_device_time_total)
    own = ("aten::_convolution", "aten::convolution_backward")
    convolutions = sum(event.device_time_total for event in events if event.key in own) / 1e6
    return {
        "all": round_figure(sum(event.self_device_time_total for event in kernels) / 1e6),
        "convolutions": round_figure(convolutions),
        "kernels": sum(event.count for event in kernels),
        "longest": {event.key[:90]: round_figure(event.self_device_time_total / 1e6) for event in kernels[:8]},
    }


def record_prediction_difference(setup: Setup, record: Record, features: Features, model: str) -> None:
    """Probabilities of the device and of the CPU, with the same weights."""
    few, settings = FeatureSubset(features, np.arange(2)), settings_from_profile(model=model)
    found = [NetworkLearner(CLASSES, settings, device=TrainingDevice(where)) for where in (setup.device, "cpu")]
    for learner in found:
        with torch.no_grad():
            for layer in learner.module.modules():
                if hasattr(layer, "fit"):  # the scale of the inputs, which training sets
                    layer.fit(torch.from_numpy(few.batch_array(layer.array_name, few.rows, np.zeros(2, np.intp))))
    with limit_cpu_threads(setup, os.cpu_count() or 1):
        one, other = (learner.predict(few).emotions for learner in found)
    record(f"{model}, difference of probabilities to the CPU", describe_difference(one, other))


@dataclass(frozen=True)
class FoldTimes:
    """Wall seconds of a run of folds, with the start of processes, and epochs per second once epochs come."""

    seconds: float
    epochs_per_s: float | None
    outcomes: Any
    stamps: Sequence[float]

    @classmethod
    def measure(
        cls, features: Features, settings: TrainSettings, splits: Sequence[FoldSplit], pool: FoldPool
    ) -> "FoldTimes":
        stamps: list[float] = []

        def keep_time(progress: FoldProgress) -> None:
            pool.on_progress(progress)
            if progress.epoch is not None:
                stamps.append(time.perf_counter())

        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            outcomes = run_folds(features, settings, splits, Path(folder), replace(pool, on_progress=keep_time))
            seconds = time.perf_counter() - start
        rate = (len(stamps) - 1) / (stamps[-1] - stamps[0]) if len(stamps) > 1 else None
        return cls(seconds, rate, outcomes, [stamp - start for stamp in stamps])

    def describe(self) -> dict[str, float | None]:
        return {
            "s": round_figure(self.seconds),
            "epochs per s": self.epochs_per_s and round_figure(self.epochs_per_s),
        }


def measure_folds(setup: Setup, record: Record, deadline: float) -> None:
    """Four folds one after the other, two at a time and all at once."""
    features = random_features(setup.choose_size(4, 2), setup.choose_size(60, 4))
    splits = loso_folds(features.subjects)
    for model, epochs in (("fmer-lite", 12), ("fmer", 6)) if not setup.small else (("fmer-lite", 2),):
        precision = "bf16" if model == "fmer" else "float32"  # what a GPU is advised to use
        settings = settings_from_profile(model=model, epochs=epochs, precision=precision)
        alone: FoldTimes | None = None
        for jobs in setup.choose_size((1, 2, 4), (1, 2)):
            found = FoldTimes.measure(features, settings, splits, FoldPool(jobs, setup.device))
            alone = alone or found
            record(f"{model}, {jobs} at a time", found.describe())
            if jobs > 1:
                ratios = {"with the start of processes": alone.seconds / found.seconds}
                if alone.epochs_per_s and found.epochs_per_s:
                    ratios["epochs alone"] = found.epochs_per_s / alone.epochs_per_s
                record(f"{model}, {jobs} at a time, gain", {key: round_figure(ratio) for key, ratio in ratios.items()})
                record(f"{model}, {jobs} at a time, outcomes are equal", found.outcomes == alone.outcomes)


class EnoughSeen(Exception):
    """The time of a run of folds is over; raised by a callback."""


def measure_loso(setup: Setup, record: Record, deadline: float) -> None:
    """A leave-one-subject-out run of CASME II's size: `fmer` from some epochs, `fmer-lite` whole."""
    bundled = None if setup.small else load_features(BUNDLE / "features")
    features, about = bundled or (random_features(setup.choose_size(26, 3), setup.choose_size(9, 1)), {})
    subjects = len(set(features.subjects.tolist()))
    record("clips", {"clips": len(features), "subjects": subjects, "drawn": bundled is not None, **about})
    project_fmer_loso(setup, record, features)
    settings = settings_from_profile(model="fmer-lite", epochs=setup.choose_size(None, 1))
    splits = loso_folds(features.subjects)
    jobs = setup.choose_size(4, 1)
    found = FoldTimes.measure(features, settings, splits, FoldPool(jobs, setup.device))
    figures = pooled_figures(features, found.outcomes, settings.seed)
    scores = {"UF1": figures.uf1, "UAR": figures.uar, "AU macro F1": figures.au_f1}
    record(f"fmer-lite, whole, {jobs} at a time", {**found.describe(), **scores})
    if not setup.small:
        measure_folds_in_turn(setup, record, features, settings, deadline)


def measure_folds_in_turn(
    setup: Setup, record: Record, features: Features, settings: TrainSettings, deadline: float
) -> None:
    """The whole run fold by fold; from its first folds, if time is short."""
    splits, start, done = loso_folds(features.subjects), time.perf_counter(), Counter[str]()

    def stop_in_time(progress: FoldProgress) -> None:
        done["epochs"] += progress.epoch is not None
        if time.perf_counter() > deadline - 3:
            raise EnoughSeen

    try:
        found = FoldTimes.measure(features, settings, splits, FoldPool(1, setup.device, stop_in_time))
        record("fmer-lite, whole, one after the other", found.describe())
    except EnoughSeen:
        seconds = (time.perf_counter() - start) * len(splits) * settings.epochs / done["epochs"]
        about = {"s": round_figure(seconds), "from epochs": done["epochs"]}
        record("fmer-lite, whole, one after the other, extrapolated", about)


def project_fmer_loso(setup: Setup, record: Record, features: Features) -> None:
    """Wall seconds of a whole run of `fmer`, fold by fold: epochs of one fold, several times, times folds and epochs.

    Clips of faces are random, which changes no time. Epochs are scaled by the clips of each fold's training part.
    The first epochs, in which CUDA graphs are recorded, count once per fold.
    """
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 256, (len(features), 16, 144, 144, 3), dtype=np.uint8)
    features = replace(features, arrays={"patches": features.arrays["patches"], "clip": clips})
    splits = loso_folds(features.subjects)
    usual = settings_from_profile(model="fmer")
    epochs, repeats = setup.choose_size((6, 3), (4, 1))
    for precision in setup.choose_size(PRECISIONS, PRECISIONS[1:]):
        settings = usual.model_copy(update={"epochs": epochs, "precision": precision})
        every, outside = [], []
        for seed in range(repeats):
            seeded = settings.model_copy(update={"seed": seed})
            found = FoldTimes.measure(features, seeded, splits[:1], FoldPool(1, setup.device))
            every.append(np.diff(found.stamps)[RECORDING_EPOCHS - 1 :])
            outside.append(found.seconds - epochs * float(every[-1].mean()))
        scale = sum(len(split.train) for split in splits) / len(splits[0].train)
        record(f"fmer {precision}, whole, extrapolated", extrapolate_epochs(every, outside, scale, usual.epochs))


def extrapolate_epochs(every: Sequence[Any], outside: Sequence[float], scale: float, epochs: int) -> dict[str, Any]:
    """A whole run from the seconds of epochs [repeats][epochs] and of the rest of a fold [repeats].

    The error is the standard deviation between repeats, and the change between the first and the last epoch.
    """
    means = [float(np.mean(one)) for one in every]
    fold_s = median(outside)
    drift = fmean(float(one[-1] - one[0]) for one in every)
    whole = scale * (epochs * fmean(means) + fold_s)
    spread = scale * epochs * (stdev(means) if len(means) > 1 else 0.0)
    return {
        "minutes": round_figure(whole / 60),
        "minutes, deviation between repeats": round_figure(spread / 60),
        "minutes, if epochs differ as the last from the first": round_figure(scale * epochs * abs(drift) / 60),
        "s of an epoch": [round_figure(value) for value in means],
        "s of a fold besides its epochs": round_figure(fold_s),
    }
