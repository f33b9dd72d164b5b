"""Stage roi-au: flows and interpolated frames -> patches, AU clip and landmarks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.roi_au.clip import clip
from services.roi_au.grid import to_grid
from services.roi_au.landmarks import detect
from services.roi_au.roi import patches
from services.roi_au.settings import PROFILES, RoiAuSettings
from shared.errors import BadData
from shared.stage import Arrays, Stage


def compute(inputs: Mapping[str, Arrays], settings: RoiAuSettings) -> Arrays:
    """`patches` float32 Fx9x2x30x7x7, `clip` uint8 16x144x144x3, `landmarks` float64 68x2 (px), `factors` float64 F."""
    onset = inputs["interpolator"]["frames"][0]  # unmagnified: magnified frames would move the landmarks
    flows, factors = inputs["flow"]["flows"], inputs["flow"]["factors"]
    _check(flows, factors, onset)
    points = detect(onset, settings)
    return {
        "patches": patches(*to_grid(flows, points, settings), settings),
        "clip": clip(inputs["interpolator"]["au_frames"]),
        "landmarks": points,
        "factors": factors,
    }


def _check(flows: NDArray[Any], factors: NDArray[Any], onset: NDArray[Any]) -> None:
    expected = (len(factors), flows.shape[1] if flows.ndim > 1 else 0, 2, *onset.shape[:2])
    if flows.shape != expected:
        raise BadData(
            f"expected flows of the onset frame's size for every factor, {'x'.join(map(str, expected))}, got "
            f"{'x'.join(map(str, flows.shape))}; run interpolator, magnifier and flow again for this clip"
        )
    broken = np.argwhere(~np.isfinite(flows).all(axis=(2, 3, 4)))
    if len(broken):
        factor, pair = broken[0]
        raise BadData(
            f"expected finite flows, got NaN or infinity at factor {factors[factor]:g}, pair {pair}; "
            "run magnifier and flow again for this clip, and if it stays leave that factor out"
        )


STAGE = Stage(
    name="roi-au",
    version=1,
    consumes="flows",
    reads=("interpolator", "flow"),
    produces="features",
    profiles=PROFILES,
    compute=compute,
)
