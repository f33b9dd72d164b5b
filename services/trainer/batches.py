"""Training batches: order, amplification and mirroring drawn from one seeded generator."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.trainer.dataset import PATCHES, Part
from services.trainer.settings import TrainSettings

MIRRORED = np.array(  # ROI i of a mirrored face is ROI MIRRORED[i] of the face: brows, outer lip, inner lip
    [*range(9, -1, -1), *range(16, 9, -1), *range(21, 16, -1), *range(26, 21, -1), *range(29, 26, -1)]
)


def shuffled(part: Part, settings: TrainSettings, rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """One epoch of (patches [b,9,2,30,7,7], clips [b,3,16,144,144] uint8, which [b] of the part)."""
    order = rng.permutation(len(part))
    factors = draw_factors(len(part), len(part.factors), settings, rng)
    flip = settings.mirror & rng.integers(0, 2, len(part)).astype(bool)
    for which in np.split(order, range(settings.batch, len(part), settings.batch)):
        patches, clips = part.patches(which, factors[which]), part.clips(which)
        turn = flip[which]
        patches[turn] = mirror_patches(patches[turn])
        clips[turn] = clips[turn][..., ::-1]
        yield torch.from_numpy(patches), torch.from_numpy(clips), torch.from_numpy(which)


def draw_factors(clips: int, factors: int, settings: TrainSettings, rng: np.random.Generator) -> NDArray[np.intp]:
    """Factor indices [clips], or [clips,9] where each flow field draws its own."""
    shape = clips if settings.factors == "per-clip" else (clips, PATCHES[0])
    return rng.integers(0, factors, shape)


def mirror_patches(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """Patches [...,2,30,7,7] of the mirrored face: ROIs change sides, columns run backwards, u changes sign."""
    mirrored = patches[..., MIRRORED, :, ::-1].copy()
    mirrored[..., 0, :, :, :] *= -1
    return mirrored


def in_order(part: Part, factor: int, size: int = 32) -> Iterator[tuple[Tensor, Tensor]]:
    """All clips of a part in order, at one factor index."""
    everything = np.arange(len(part))
    for which in np.split(everything, range(size, len(part), size)):
        patches = part.patches(which, np.full(len(which), factor))
        yield torch.from_numpy(patches), torch.from_numpy(part.clips(which))
