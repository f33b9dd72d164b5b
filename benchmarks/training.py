"""Training steps and whole leave-one-subject-out runs: a plain loop against ours, and `fmer-lite` against `fmer`.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/training.py [--jobs 2] [--quick]
    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/training.py --compile   # torch.compile alone, added to the result

The plain loop works like the original code, with the same weights and the same batch. It loads files for every step:
one per clip and flow field, and one for the AU clip (`fmer`) or per clip and factor for the map (`fmer-lite`). The nine
fields go through the first convolution one by one, and the AU graph's input and the fusion are computed clip by clip.
It calls `.item()` three times a step, has torch's default memory layout, and trains one fold after the other. Its
logits must equal ours: the largest difference is printed beside the ratio.

Clips are random, since time does not depend on their content. Steps are in CPU seconds, least of several runs. Whole
runs are in wall seconds, with the start of processes.
"""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._inductor import config as inductor
from torch.nn import functional

from benchmarks.common import argument_parser, describe_machine, read_result, result_file, time_call, write_result
from services.trainer.data.arrays import BROW_ROI_COUNT, FLOW_COUNT
from services.trainer.data.features import Features, FeatureSubset
from services.trainer.folds.cross_validation import FoldPool, run_folds
from services.trainer.learners.base import NO_CALLBACKS
from services.trainer.learners.batch_source import HostBatchSource, TrainingDevice
from services.trainer.learners.network import NetworkLearner, deterministic_torch
from services.trainer.learners.training_loop import TrainingLoop
from services.trainer.models import ARRAYS_BY_MODEL
from services.trainer.models.au_graph import AuGraph
from services.trainer.models.fmer import Fmer
from services.trainer.models.fusion import Fusion
from services.trainer.models.p3d import P3D
from services.trainer.models.roi_graph import RoiGraph
from shared.training.annotations import PAPER_UNITS, count_units_by_region
from shared.training.protocol import loso_folds
from shared.training.settings import TrainSettings, settings_from_profile

RESULT = result_file("training-cpu")
CLASSES, FACTORS = 4, 2
AU_COUNT, BROW_AU_COUNT = len(PAPER_UNITS), count_units_by_region(PAPER_UNITS)[0]


def random_features(subjects: int, clips: int) -> Features:
    """Random clips; every subject has all classes."""
    rng, total = np.random.default_rng(0), subjects * clips
    return Features(
        arrays={
            "patches": rng.normal(0, 0.2, (total, FACTORS, FLOW_COUNT, 2, 30, 7, 7)).astype(np.float32),
            "clip": rng.integers(0, 256, (total, 16, 144, 144, 3), dtype=np.uint8),
            "maps": rng.normal(0, 0.2, (total, FACTORS, 3, 28, 28)).astype(np.float32),
        },
        factors=np.array([1.2, 2.0]),
        emotions=np.arange(total) % CLASSES,
        aus=rng.integers(0, 2, (total, AU_COUNT)).astype(np.uint8),
        au_coded=np.ones(total, bool),
        subjects=np.array([f"drawn/s{row // clips:02}" for row in range(total)]),
        names=np.array([f"drawn/s{row // clips:02}/c{row:03}" for row in range(total)]),
        classes=tuple("abcd"),
    )


class PlainFiles:
    """The features as files like the original's: one per clip, factor and flow field, and one for the AU clip.

    As in the field's baselines there is also one per clip and factor for the map. `more` is "clip" or "maps": the input
    besides the patches.
    """

    def __init__(self, features: Features, folder: Path, more: str) -> None:
        self.features, self.folder, self.more = features, folder, more
        for clip in range(len(features)):
            np.save(
                folder / f"clip-{clip}.npy",
                features.array_by_name("clip")[clip].transpose(3, 0, 1, 2).astype(np.float32),
            )
            for factor in range(FACTORS):
                np.save(folder / f"map-{clip}-{factor}.npy", features.array_by_name("maps")[clip, factor])
                self._save_patches(clip, factor)

    def _save_patches(self, clip: int, factor: int) -> None:
        for field in range(FLOW_COUNT):
            patches = self.features.array_by_name("patches")[clip, factor, field]
            for name, part in (("brow", patches[:, :BROW_ROI_COUNT]), ("mouth", patches[:, BROW_ROI_COUNT:])):
                np.save(self.folder / f"{name}-{clip}-{factor}-{field}.npy", part)

    def load_clip(self, clip: int, factor: int) -> tuple[Tensor, Tensor]:
        fields = []
        for field in range(FLOW_COUNT):
            halves = [np.load(self.folder / f"{part}-{clip}-{factor}-{field}.npy") for part in ("brow", "mouth")]
            fields.append(torch.from_numpy(np.concatenate(halves, axis=1)))
        more = f"clip-{clip}.npy" if self.more == "clip" else f"map-{clip}-{factor}.npy"
        return torch.stack(fields), torch.from_numpy(np.load(self.folder / more))

    def load_batches(
        self, rows: np.ndarray, size: int, rng: np.random.Generator
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        order = rng.permutation(rows)
        for start in range(0, len(order), size):
            which = order[start : start + size]
            clips = [self.load_clip(int(clip), int(rng.integers(FACTORS))) for clip in which]
            patches, more = (torch.stack(column) for column in zip(*clips, strict=True))
            yield patches, more, torch.from_numpy(which)


class PlainModule(nn.Module):
    """The layers of `fmer` or `fmer-lite`, called in loops over fields and clips."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.contiguous_format)
        for layer in self.modules():
            if isinstance(layer, nn.Conv3d):
                layer.weight.data = layer.weight.data.contiguous()

    def forward(self, patches: Tensor, more: Tensor) -> tuple[Tensor, Tensor]:
        net = self.network
        eyebrow, mouth = region_features(net, net.patch_scale(patches))
        seen = None if isinstance(net, Fmer) else net.whole_face(more)
        au_logits = (
            au_logits_from_frames(net.p3d, net.clip_scale(more))
            if seen is None
            else au_scores(net, eyebrow, mouth, seen)
        )
        aus = au_vectors(net.au_graph, au_logits.detach() if net.detached else au_logits)
        logits = fuse_regions(net.fusion, eyebrow, mouth, aus)
        return logits if seen is None else logits + torch.stack([net.direct(face) for face in seen]), au_logits


def region_features(net: nn.Module, patches: Tensor) -> tuple[Tensor, Tensor]:
    if isinstance(net, Fmer):
        return region_features_by_field(net.graph, patches)
    each = patches.flatten(-2).unbind(1)
    moments = torch.stack([field @ net.tokens.shapes.T for field in each], 1)
    tokens = torch.einsum("btcrs,kt->brkcs", moments, net.tokens.courses).flatten(2)
    return net.brow_head(tokens[:, :BROW_ROI_COUNT]), net.mouth_head(tokens[:, BROW_ROI_COUNT:])


def region_features_by_field(graph: RoiGraph, patches: Tensor) -> tuple[Tensor, Tensor]:
    seen = [graph.pair_conv.conv(patches[:, field].transpose(1, 2)) for field in range(FLOW_COUNT)]
    tokens = graph.time_conv(graph.pair_conv.norm(torch.cat(seen, 2)).relu())
    eyebrow, mouth = graph.brow_encoder(tokens[:, :BROW_ROI_COUNT]), graph.mouth_encoder(tokens[:, BROW_ROI_COUNT:])
    return graph.brow_head(eyebrow), graph.mouth_head(mouth)


def au_scores(net: nn.Module, eyebrow: Tensor, mouth: Tensor, seen: Tensor) -> Tensor:
    heads = zip(net.au_head, (eyebrow, mouth), strict=True)
    return torch.cat([head(torch.cat([region, seen], 1)) for head, region in heads], 1)


def au_logits_from_frames(p3d: P3D, clips: Tensor) -> Tensor:
    x = p3d.layers(p3d.stem(clips))
    return p3d.classify(p3d.flat(x.transpose(1, 2).flatten(0, 1)))


def au_vectors(graph: AuGraph, logits: Tensor) -> Tensor:
    scores = logits.sigmoid() if graph.probability else logits
    adjacency = graph.encoder(torch.stack([torch.diag(row) for row in scores]))
    if graph.normalised:
        adjacency = (torch.eye(AU_COUNT) + adjacency.softmax(-1)) / 2
    nodes = scores.unsqueeze(-1)
    for conv in graph.convs:
        nodes = conv(adjacency, nodes)
    return nodes


def fuse_regions(fusion: Fusion, eyebrow: Tensor, mouth: Tensor, aus: Tensor) -> Tensor:
    rows = []
    for brow, lips, units in zip(eyebrow, mouth, aus, strict=True):
        matches = [torch.dot(brow if unit < BROW_AU_COUNT else lips, units[unit]) for unit in range(AU_COUNT)]
        logits = fusion.classify(fusion.norm(torch.stack(matches)))
        rows.append(logits if fusion.direct is None else logits + fusion.direct(torch.cat([brow, lips])))
    return torch.stack(rows)


class PlainTraining:
    """One fold, trained like the original."""

    def __init__(self, features: Features, files: PlainFiles, settings: TrainSettings) -> None:
        self.features, self.files, self.settings = features, files, settings
        self.module = PlainModule(NetworkLearner(CLASSES, settings).module)
        self.optimiser = torch.optim.Adam(self.module.parameters(), settings.learning_rate)
        self.emotions = torch.from_numpy(features.emotions)
        self.aus = torch.from_numpy(features.aus.astype(np.float32))
        self.rng = np.random.default_rng(0)

    def train_epoch(self, rows: np.ndarray) -> None:
        self.module.train()
        for patches, more, which in self.files.load_batches(rows, self.settings.batch, self.rng):
            logits, au_logits = self.module(patches, more)
            emotion = functional.cross_entropy(logits, self.emotions[which])
            au = functional.binary_cross_entropy_with_logits(au_logits, self.aus[which])
            loss = emotion + au
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            _ = loss.item(), au.item(), (logits.argmax(1) == self.emotions[which]).float().mean().item()

    @torch.no_grad()
    def predict_rows(self, rows: np.ndarray) -> None:
        self.module.eval()
        for patches, more, _ in self.files.load_batches(rows, self.settings.batch, self.rng):
            self.module(patches, more)[0].argmax(1)


def logit_difference(features: Features, files: PlainFiles, settings: TrainSettings) -> float:
    """Largest difference of the plain module's logits (from its files) to ours (from the features), without dropout.

    It is relative to the largest logit.
    """
    everything, factor = np.arange(min(4, len(features))), FACTORS - 1
    source = HostBatchSource(FeatureSubset(features, everything), ARRAYS_BY_MODEL[settings.model], TrainingDevice())
    inputs = source(everything, np.full(len(everything), factor))
    read = [
        torch.stack(column) for column in zip(*(files.load_clip(int(clip), factor) for clip in everything), strict=True)
    ]
    network = NetworkLearner(CLASSES, settings)
    plain = PlainModule(NetworkLearner(CLASSES, settings).module)
    with torch.no_grad():
        ours, theirs = network.module.eval()(*inputs.values()), plain.eval()(*read)
    return max(float((a - b).abs().max() / a.abs().max()) for a, b in zip(ours, theirs, strict=True))


def step_seconds(features: Features, files: PlainFiles, settings: TrainSettings, runs: int) -> tuple[float, ...]:
    """CPU seconds of a training step, plain, ours and ours in bf16: those of an epoch over its number of steps."""
    rows = np.arange(len(features))
    plain, halved = PlainTraining(features, files, settings), settings.model_copy(update={"precision": "bf16"})
    with deterministic_torch(0):
        ours = [create_training_loop(features, each) for each in (settings, halved)]
        works = [lambda: plain.train_epoch(rows), *(lambda each=each: each.run_epoch(0) for each in ours)]
        return tuple(time_call(work, runs).cpu_seconds / ours[0].steps_per_epoch for work in works)


def create_training_loop(
    features: Features, settings: TrainSettings, device: TrainingDevice | None = None
) -> TrainingLoop:
    """The training of a new network on all clips; on a CPU by default."""
    network = NetworkLearner(CLASSES, settings, device=device)
    part = FeatureSubset(features, np.arange(len(features)))
    return TrainingLoop(network.module, settings, 0, network.device, part, NO_CALLBACKS)


def measure_compiled(runs: int = 5) -> dict[str, float]:
    """`fmer-lite` with torch.compile and an empty cache: CPU seconds of compilation, of a step without and with it."""
    features, settings = random_features(8, 16), settings_from_profile(model="fmer-lite", batch=16, oracle=False)
    plain, ours = create_training_loop(features, settings), create_training_loop(features, settings)
    ours.run_step = replace(ours.training_step, module=torch.compile(ours.module))
    inductor.compile_threads, inductor.force_disable_caches = 1, True  # so that compilers are children of this process
    start = sum(os.times()[:4])
    ours.run_epoch(0)
    spent = sum(os.times()[:4]) - start
    each = [
        time_call(lambda one=one: one.run_epoch(0), runs).cpu_seconds / one.steps_per_epoch for one in (plain, ours)
    ]
    return {"compile_cpu_s": round(spent, 1), "step_cpu_s": round(each[0], 4), "step_compiled_cpu_s": round(each[1], 4)}


def run_seconds(features: Features, files: PlainFiles, settings: TrainSettings, jobs: int) -> tuple[float, float]:
    """Wall seconds of a leave-one-subject-out run: plain, fold by fold, and ours with `jobs` processes."""
    everything = loso_folds(features.subjects)
    start = time.perf_counter()
    for fold in everything:
        plain = PlainTraining(features, files, settings)
        for _ in range(settings.epochs):
            plain.train_epoch(fold.train)
        plain.predict_rows(fold.test)
    slow, start = time.perf_counter() - start, time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run_folds(features, settings, everything, Path(folder), FoldPool(jobs))
    return slow, time.perf_counter() - start


def compare_model(
    model: str, subjects: int, clips: int, epochs: int, batch: int, runs: int, jobs: int
) -> dict[str, Any]:
    features = random_features(subjects, clips)
    settings = settings_from_profile(model=model, epochs=epochs, batch=batch, oracle=False)
    with tempfile.TemporaryDirectory() as folder:
        files = PlainFiles(features, Path(folder), ARRAYS_BY_MODEL[model][1])
        apart = logit_difference(features, files, settings)
        if apart > 1e-4:
            raise SystemExit(f"{model}: the plain loop computes something else: logits differ by {apart:.1g}.")
        slow_step, fast_step, half_step = step_seconds(features, files, settings, runs)
        slow_run, fast_run = run_seconds(features, files, settings, jobs)
    return {
        "size": {"subjects": subjects, "clips": len(features), "epochs": epochs, "batch": batch, "processes": jobs},
        "plain_step_cpu_s": round(slow_step, 4),
        "step_cpu_s": round(fast_step, 4),
        "step_bf16_cpu_s": round(half_step, 4),
        "step_ratio": round(slow_step / fast_step, 2),
        "step_ratio_bf16": round(slow_step / half_step, 2),
        "plain_run_s": round(slow_run, 2),
        "run_s": round(fast_run, 2),
        "run_ratio": round(slow_run / fast_run, 2),
        "largest_difference_of_logits": apart,
    }


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="a short test of the script, which writes nothing")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.compile:
        add_compiled_figures()
    else:
        measure_models(options.jobs, options.quick)


def add_compiled_figures() -> None:
    found = measure_compiled()
    print("fmer-lite, torch.compile:", found)
    write_result(RESULT, (read_result(RESULT.stem) or {}) | {"torch.compile": found})


def measure_models(jobs: int, quick: bool) -> None:
    sizes = {"fmer-lite": (8, 16, 40, 16, 5), "fmer": (4, 8, 1, 8, 2)}
    if quick:
        sizes = {"fmer-lite": (2, 4, 1, 4, 1), "fmer": (2, 2, 1, 2, 1)}
    result: dict[str, Any] = {"machine": describe_machine("torch", "numpy")}
    for model, size in sizes.items():
        result[model] = compare_model(model, *size, jobs)
        print(model, json.dumps(result[model], indent=2), flush=True)
    per_clip = {model: result[model]["step_cpu_s"] / result[model]["size"]["batch"] for model in sizes}
    result["fmer_over_fmer_lite_per_clip"] = round(per_clip["fmer"] / per_clip["fmer-lite"], 1)
    print("fmer / fmer-lite, CPU time of a step per clip:", result["fmer_over_fmer_lite_per_clip"])
    if not quick:
        write_result(RESULT, result)


if __name__ == "__main__":
    main()
