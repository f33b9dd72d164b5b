"""Training batches: order, amplification and augmentation come from one seeded generator."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.trainer.data.arrays import FLOW_COUNT, Indices
from services.trainer.data.features import FeatureSubset
from services.trainer.learners import augmentation
from services.trainer.learners.batch_source import ArrayNames, BatchSource, NetworkInputs, copy_to_device
from shared.training.settings import TrainSettings


def training_batches(
    subset: FeatureSubset, settings: TrainSettings, rng: np.random.Generator, source: BatchSource
) -> Iterator[tuple[NetworkInputs, Tensor]]:
    """One epoch of (network inputs of b clips, indices [b] of those clips in the subset), both on the device."""
    clips = epoch_order(subset.emotions, settings, rng)
    draws = draw_indices(clips, settings)
    factors = draw_factors(len(subset), len(subset.factors), settings, rng, source.needs)[draws]
    device = source.device.name
    drawn = augmentation.draw_augmentation(len(subset), settings, rng).subset_on_device(torch.from_numpy(draws), device)
    for inputs, changes, which in zip(
        source.cut_batches(clips, factors, settings.batch),
        drawn.split(settings.batch),
        copy_to_device(torch.from_numpy(clips), device).split(settings.batch),
        strict=True,
    ):
        yield augmentation.augment_batch(inputs, changes), which


def epoch_order(emotions: NDArray[np.int64], settings: TrainSettings, rng: np.random.Generator) -> Indices:
    """Indices [n] of the clips of an epoch, for class indices `emotions` [n].

    Plain sampling: each clip once. Balanced sampling: equal numbers per class, and within a class equal numbers per
    clip, both give or take one.
    """
    if settings.sampling == "plain":
        return rng.permutation(len(emotions))
    present = rng.permutation(np.unique(emotions))  # the first classes get one more if the division leaves a rest
    shares = np.full(len(present), len(emotions) // len(present))
    shares[: len(emotions) % len(present)] += 1
    drawn = [
        _repeat_shuffled(np.flatnonzero(emotions == label), share, rng)
        for label, share in zip(present, shares, strict=True)
    ]
    return rng.permutation(np.concatenate(drawn))


def draw_indices(order: Indices, settings: TrainSettings) -> Indices:
    """For each place [n] of an epoch's order, the index of its random factor and augmentation among the n drawn.

    Plain sampling shows each clip once, so its draw has the clip's index. Balanced sampling may repeat a clip, so each
    place has a draw of its own.
    """
    return order if settings.sampling == "plain" else np.arange(len(order))


def _repeat_shuffled(clips: Indices, count: int, rng: np.random.Generator) -> Indices:
    return np.concatenate([rng.permutation(clips) for _ in range(-(-count // len(clips)))])[:count]


def draw_factors(
    clip_count: int,
    factor_count: int,
    settings: TrainSettings,
    rng: np.random.Generator,
    needs: ArrayNames = ("patches", "clip"),
) -> Indices:
    """Factor indices [clip_count], or [clip_count,9] if each flow field draws its own. Maps hold one flow only."""
    each = settings.factors == "per-flow" and "patches" in needs
    return rng.integers(0, factor_count, (clip_count, FLOW_COUNT) if each else clip_count)


def sequential_batches(
    subset: FeatureSubset, factor: int, source: BatchSource, size: int = 32
) -> Iterator[NetworkInputs]:
    """All clips of the subset in order, at one factor index."""
    return source.cut_batches(np.arange(len(subset)), np.full(len(subset), factor), size)
