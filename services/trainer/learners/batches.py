"""Training batches: order, amplification and augmentation drawn from one seeded generator."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.trainer.data.arrays import PATCHES
from services.trainer.data.features import Part
from services.trainer.learners import augmentation
from services.trainer.learners.batch_source import Inputs, Needs, Supply, supply
from services.trainer.settings import TrainSettings

Indices = NDArray[np.intp]


def shuffled(
    part: Part, settings: TrainSettings, rng: np.random.Generator, needs: Needs, source: Supply, device: str = "cpu"
) -> Iterator[tuple[Inputs, Tensor]]:
    """One epoch of (inputs of b clips, which [b] of the part), both on the device."""
    clips = order(part.emotions, settings, rng)
    # What is drawn belongs to a clip; where a clip may come twice, to the place in the epoch.
    draws = clips if settings.sampling == "plain" else np.arange(len(part))
    factors = draw_factors(len(part), len(part.factors), settings, rng, needs)
    drawn = augmentation.draw(len(part), settings, rng)
    cuts = range(settings.batch, len(part), settings.batch)
    for which, draw in zip(np.split(clips, cuts), np.split(draws, cuts), strict=True):
        inputs = source(which, factors[draw])
        yield augmentation.apply(inputs, drawn.at(torch.from_numpy(draw), device)), torch.from_numpy(which).to(device)


def order(emotions: NDArray[np.int64], settings: TrainSettings, rng: np.random.Generator) -> Indices:
    """As many draws as there are clips: each clip once; or equal numbers per class, give or take one, and within a
    class each clip as often as any other, give or take one."""
    if settings.sampling == "plain":
        return rng.permutation(len(emotions))
    present = rng.permutation(np.unique(emotions))  # who gets one more, where it does not come out even
    shares = np.full(len(present), len(emotions) // len(present))
    shares[: len(emotions) % len(present)] += 1
    drawn = [_some(np.flatnonzero(emotions == one), share, rng) for one, share in zip(present, shares, strict=True)]
    return rng.permutation(np.concatenate(drawn))


def _some(clips: Indices, count: int, rng: np.random.Generator) -> Indices:
    return np.concatenate([rng.permutation(clips) for _ in range(-(-count // len(clips)))])[:count]


def draw_factors(
    clips: int, factors: int, settings: TrainSettings, rng: np.random.Generator, needs: Needs = ("patches", "clip")
) -> Indices:
    """Factor indices [clips], or [clips,9] where each flow field draws its own; a map is one flow."""
    each = settings.factors == "per-flow" and "patches" in needs
    return rng.integers(0, factors, (clips, PATCHES[0]) if each else clips)


def in_order(part: Part, factor: int, needs: Needs, device: str = "cpu", size: int = 32) -> Iterator[Inputs]:
    """All clips of a part in order, at one factor index."""
    source, everything = supply(part, needs, device), np.arange(len(part))
    for which in np.split(everything, range(size, len(part), size)):
        yield source(which, np.full(len(which), factor))
