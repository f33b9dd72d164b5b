"""Maps as learners see them: the head's motion taken out, and scaled by clip. Every learner on maps starts with this.

Both depend on nothing but the map, so they are computed once, not in every epoch. A mirrored map gives the mirrored
result: mirroring may follow.
"""

import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.trainer.data.features import Features
from services.trainer.models.head_motion import build_map_head_fit, median_of_cells
from shared.training.model_settings import ModelSettings

MAP_ARRAYS = ("maps", "flow_maps")  # the arrays that hold maps, [...,channels,28,28]
OUTLIER_BOUND = 2.5  # standard deviations that a normalised map approaches
CHUNK_MAPS = 256  # maps prepared at a time


class MapPreparation:
    """Features whose maps are prepared. It keeps the newest, for all folds of a process."""

    def __init__(self) -> None:
        self._given: weakref.ref[Features] | None = None
        self._made: tuple[ModelSettings, Features] | None = None

    def __call__(self, features: Features, settings: ModelSettings) -> Features:
        """The same clips with prepared maps; the very features if there is nothing to do."""
        names = [name for name in MAP_ARRAYS if name in features.arrays]
        if not names or (settings.map_head == "none" and settings.map_scaling != "per-clip"):
            return features
        if self._made is None or self._given is None or self._given() is not features or self._made[0] != settings:
            self._made = None  # frees the memory for the next ones
            arrays = {name: prepare_maps(features.array_by_name(name), settings) for name in names}
            self._made = settings, replace(features, arrays={**features.arrays, **arrays})
            self._given = weakref.ref(features)
        return self._made[1]


def prepare_maps(maps: NDArray[Any], settings: ModelSettings) -> NDArray[np.float32]:
    """Maps [...,c,28,28] (u, v in px, for c = 3 strain) -> the same shape, as `map_head` and `map_scaling` say.

    Maps of single flows (c = 2) keep their scale: alone, a flow with little motion would become as long as any other.
    """
    fit, flat = build_map_head_fit(settings), maps.reshape(-1, *maps.shape[-3:])
    prepared = np.empty(flat.shape, np.float32)
    for start in range(0, len(flat), CHUNK_MAPS):
        part = torch.from_numpy(np.array(flat[start : start + CHUNK_MAPS], np.float32))
        part = part if fit is None else remove_head(part, fit)
        part = normalise_maps(part) if settings.map_scaling == "per-clip" and maps.shape[-3] == 3 else part
        prepared[start : start + CHUNK_MAPS] = part.numpy()
    return prepared.reshape(maps.shape)


def remove_head(maps: Tensor, fit: nn.Module) -> Tensor:
    """Maps [b,c,28,28] without the head's motion that `fit` finds in u and v. Strain stays: it is no vector."""
    motion = maps[:, :2]
    return torch.cat([motion - fit(motion.flatten(2)).view_as(motion), maps[:, 2:]], 1)


def normalise_maps(maps: Tensor) -> Tensor:
    """Maps [b,3,28,28] (u, v, strain) -> the same shape without a unit: each map and channel by itself.

    u and v lose their median, the root of the strain its mean. All are divided by their standard deviation over the
    map, and 2.5 tanh(x / 2.5) draws outliers in. A channel without variation becomes 0. The unit and a common
    amplification cancel.
    """
    motion, strain = maps[:, :2].flatten(2), maps[:, 2:].flatten(2).clamp(min=0).sqrt()
    centred = torch.cat([motion - median_of_cells(motion), strain - strain.mean(-1, keepdim=True)], 1)
    spread = centred.std(-1, correction=0, keepdim=True)
    scaled = torch.where(spread > 0, centred / spread.clamp(min=torch.finfo(spread.dtype).tiny), 0.0)
    return (OUTLIER_BOUND * (scaled / OUTLIER_BOUND).tanh()).view_as(maps)
