"""Adapter of the flow: magnified frames of every factor -> the flow between each two consecutive frames."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.flow.black_anandan import estimate_flow
from shared.errors import BadData
from shared.stage import Arrays, Stage
from shared.stage_arrays import MAGNIFIED_ARRAYS
from shared.stage_settings.flow import FLOW_PROFILES, FlowSettings

LUMA = np.array([0.298936021293775, 0.587043074451121, 0.114020904255103], np.float32)  # MATLAB's rgb2gray

PASSED_ON = ("frame_numbers", "shape_maps")  # arrays of the magnifier that roi-au may need


def rgb_to_luma(frames: NDArray[np.uint8], rounding: str = "rounded") -> NDArray[Any]:
    """uint8 RGB [..., 3] -> luma [...] on 0..255: uint8 if `rounding` is "rounded", float32 if it is "exact"."""
    if rounding == "rounded":
        return np.asarray(np.floor(frames @ LUMA + np.float32(0.5)).astype(np.uint8))
    # channel by channel: a product of matrices adds in an order that depends on the machine
    red, green, blue = (frames[..., channel].astype(np.float32) * LUMA[channel] for channel in range(3))
    luma: NDArray[np.float32] = red + green + blue
    return luma


def compute(inputs: Mapping[str, Arrays], settings: FlowSettings) -> Arrays:
    """Magnifier's frames uint8 [F, T, H, W, 3] and factors [F] -> flows float16 [F, T-1, 2, H, W] (u, v) px, factors.

    What the magnifier may give besides is passed on for roi-au: `frame_numbers` [T], the interpolated frame that each
    shows, and `shape_maps` [F, T, 128, 128].
    Raises BadData for a single frame and for a flow that is not finite. float16 costs at most 0.0005 px up to 1 px of
    motion, 0.001 px up to 2 px, and 0.008 px up to 32 px. Memory: some 10 bytes per pixel and frame, besides the input.
    """
    frames, factors = inputs["magnifier"]["frames"], inputs["magnifier"]["factors"]
    if frames.shape[1] < 2:
        raise BadData(
            f"Expected magnified frames of at least two moments, got {frames.shape[1]}; run the magnifier again for "
            "this record."
        )
    greys = np.stack([rgb_to_luma(clip, settings.luma) for clip in frames])
    shape = (-1, *greys.shape[2:])
    uv = estimate_flow(greys[:, :-1].reshape(shape), greys[:, 1:].reshape(shape), settings)
    if not np.isfinite(uv).all():
        raise BadData("Expected a finite flow, got NaN or infinity: look at the magnified frames of this record.")
    flows = uv.reshape(len(frames), -1, *uv.shape[1:]).astype(np.float16)
    passed_on = {name: inputs["magnifier"][name] for name in PASSED_ON if name in inputs["magnifier"]}
    return {"flows": flows, "factors": factors, **passed_on}


STAGE = Stage(
    name="flow",
    version=3,
    consumes="magnified",
    reads=("magnifier",),
    produces="flows",
    profiles=FLOW_PROFILES,
    compute=compute,
    arrays={"magnifier": MAGNIFIED_ARRAYS},
)
