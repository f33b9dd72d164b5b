"""Training batches: order, amplification and augmentation drawn from one seeded generator."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.trainer.data.arrays import PATCHES_SHAPE
from services.trainer.data.features import FeatureSubset
from services.trainer.learners import augmentation
from services.trainer.learners.batch_source import ArrayNames, BatchSource, NetworkInputs, make_batch_source
from services.trainer.settings import TrainSettings

Indices = NDArray[np.intp]


def training_batches(
    subset: FeatureSubset,
    settings: TrainSettings,
    rng: np.random.Generator,
    needs: ArrayNames,
    source: BatchSource,
    device: str = "cpu",
) -> Iterator[tuple[NetworkInputs, Tensor]]:
    """One epoch of (inputs of b clips, which [b] of the part), both on the device."""
    clips = epoch_order(subset.emotions, settings, rng)
    # What is drawn belongs to a clip; where a clip may come twice, to the place in the epoch.
    draws = clips if settings.sampling == "plain" else np.arange(len(subset))
    factors = draw_factors(len(subset), len(subset.factors), settings, rng, needs)
    drawn = augmentation.draw_augmentation(len(subset), settings, rng)
    cuts = range(settings.batch, len(subset), settings.batch)
    for which, draw in zip(np.split(clips, cuts), np.split(draws, cuts), strict=True):
        inputs = source(which, factors[draw])
        yield (
            augmentation.augment_batch(inputs, drawn.subset_on_device(torch.from_numpy(draw), device)),
            torch.from_numpy(which).to(device),
        )


def epoch_order(emotions: NDArray[np.int64], settings: TrainSettings, rng: np.random.Generator) -> Indices:
    """As many draws as there are clips: each clip once; or equal numbers per class, give or take one, and within a
    class each clip as often as any other, give or take one."""
    if settings.sampling == "plain":
        return rng.permutation(len(emotions))
    present = rng.permutation(np.unique(emotions))  # who gets one more, where it does not come out even
    shares = np.full(len(present), len(emotions) // len(present))
    shares[: len(emotions) % len(present)] += 1
    drawn = [
        _repeat_shuffled(np.flatnonzero(emotions == one), share, rng)
        for one, share in zip(present, shares, strict=True)
    ]
    return rng.permutation(np.concatenate(drawn))


def _repeat_shuffled(clips: Indices, count: int, rng: np.random.Generator) -> Indices:
    return np.concatenate([rng.permutation(clips) for _ in range(-(-count // len(clips)))])[:count]


def draw_factors(
    clip_count: int,
    factor_count: int,
    settings: TrainSettings,
    rng: np.random.Generator,
    needs: ArrayNames = ("patches", "clip"),
) -> Indices:
    """Factor indices [clips], or [clips,9] where each flow field draws its own; a map is one flow."""
    each = settings.factors == "per-flow" and "patches" in needs
    return rng.integers(0, factor_count, (clip_count, PATCHES_SHAPE[0]) if each else clip_count)


def sequential_batches(
    subset: FeatureSubset, factor: int, needs: ArrayNames, device: str = "cpu", size: int = 32
) -> Iterator[NetworkInputs]:
    """All clips of a part in order, at one factor index."""
    source, everything = make_batch_source(subset, needs, device), np.arange(len(subset))
    for which in np.split(everything, range(size, len(subset), size)):
        yield source(which, np.full(len(which), factor))
