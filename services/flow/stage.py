"""Adapter: magnified frames in, the flow of consecutive pairs per factor out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.flow.black_anandan import flow
from services.flow.settings import PROFILES, FlowSettings
from shared.errors import BadData
from shared.stage import Arrays, Stage

LUMA = np.array([0.298936, 0.587043, 0.114021])  # rgb2gray's weights


def compute(inputs: Mapping[str, Arrays], settings: FlowSettings) -> Arrays:
    """`frames` uint8 FxTxHxWx3 -> `flows` float16 Fx(T-1)x2xHxW (u, v) px, `factors`."""
    frames, factors = inputs["magnifier"]["frames"], inputs["magnifier"]["factors"]
    if frames.ndim != 5 or frames.shape[1] < 2 or frames.dtype != np.uint8:
        raise BadData(
            f"Flow needs uint8 frames of factors x time (2 or more) x rows x columns x 3, got {frames.dtype} "
            f"{frames.shape}: run the magnifier again."
        )
    return {"flows": np.stack([_flows(grey(clip), settings) for clip in frames]), "factors": factors}


def grey(frames: NDArray[Any]) -> NDArray[np.float32]:
    """RGB bytes -> whole grey levels, as the paper's code rounds them."""
    return np.floor(frames @ LUMA + 0.5).astype(np.float32)


def _flows(clip: NDArray[np.float32], settings: FlowSettings) -> NDArray[np.float16]:
    return flow(clip[:-1], clip[1:], settings).astype(np.float16)


STAGE = Stage(
    name="flow",
    version=1,
    consumes="magnified",
    reads=("magnifier",),
    produces="flows",
    profiles=PROFILES,
    compute=compute,
)
