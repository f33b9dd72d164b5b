"""Stage roi-au: flows and interpolated frames -> patches, maps, AU clip and landmarks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.roi_au.clip import prepare_au_clip
from services.roi_au.grid import to_grid
from services.roi_au.landmarks import detect_landmarks, rescale_points
from services.roi_au.maps import flow_maps, motion_maps
from services.roi_au.roi import cut_flow_patches, cut_patches
from shared.apex_pairs import count_apex_pairs
from shared.errors import BadData
from shared.stage import Arrays, Stage
from shared.stage_arrays import FLOW_ARRAYS, SHOWN_ARRAYS
from shared.stage_settings.roi_au import ROI_AU_PROFILES, RoiAuSettings


def compute(inputs: Mapping[str, Arrays], settings: RoiAuSettings) -> Arrays:
    """Features of one clip from the artifacts of interpolator and flow, with F factors and T flows per factor.

    `patches` float32 [F, T, 2, 30, 7, 7], `maps` float32 [F, 3, 28, 28], `clip` uint8 [16, 144, 144, 3], `landmarks`
    float64 [68, 2] (px), `factors` float64 [F], and by the setting `flow_maps` float16 [F, T, 2, 28, 28]. With
    maps of shapes from the magnifier, `shape_patches` float32 [F, N, 30, 7, 7] of them.

    Raises BadData for inputs of other shapes, flows that are not finite
    and a frame without a face.
    """
    shown = inputs["interpolator"]
    onset = shown["frames"][0]  # unmagnified: magnified frames would move the landmarks
    flows, factors = inputs["flow"]["flows"], inputs["flow"]["factors"]
    _check_flows(flows, factors, onset)
    points = detect_landmarks(onset, settings)
    pairs = count_apex_pairs(shown, inputs["flow"])
    maps_of_flows = {"flow_maps": flow_maps(flows, points, settings)} if settings.flow_maps else {}
    return {
        **maps_of_flows,
        **_shape_patches(inputs["flow"], points, onset.shape[:2], settings),
        "patches": cut_flow_patches(*to_grid(flows, points, settings), settings),
        "maps": motion_maps(flows, points, pairs, settings),
        "clip": prepare_au_clip(shown["au_frames"], aligned=settings.au_clip == "aligned"),
        "landmarks": points,
        "factors": factors,
    }


def _shape_patches(flow: Arrays, points: NDArray[np.float64], size: tuple[int, ...], settings: RoiAuSettings) -> Arrays:
    """The patches of MagNet's shape maps, where there are any, around landmarks [68, 2] px of a frame of this size.

    The paper's code finds landmarks anew on every magnified frame, and drops clips without a face there.
    """
    if "shape_maps" not in flow:
        return {}
    maps = flow["shape_maps"]
    return {"shape_patches": cut_patches(maps, rescale_points(points, size, maps.shape[-2:]), settings)}


def _check_flows(flows: NDArray[Any], factors: NDArray[Any], onset: NDArray[Any]) -> None:
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
    version=3,  # 2: maps; 3: maps count from the onset, the clip is aligned
    consumes="flows",
    reads=("interpolator", "flow"),
    produces="features",
    profiles=ROI_AU_PROFILES,
    compute=compute,
    arrays={"interpolator": SHOWN_ARRAYS, "flow": FLOW_ARRAYS},
)
