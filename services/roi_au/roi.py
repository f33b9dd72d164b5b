"""Regions of interest: 7x7 patches around 30 landmarks, 10 of the brows and 20 of the mouth (Wang et al. 2024)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData
from shared.regions_of_interest import ROI
from shared.stage import settings_for_profile
from shared.stage_settings.roi_au import ROI_AU_PROFILES, RoiAuSettings

RADIUS = 3  # px from a patch's centre to its edge: 7x7

Indices = NDArray[np.int64]


def cut_flow_patches(
    flows: NDArray[Any], landmarks: NDArray[np.float64], profile: str | RoiAuSettings = "corrected"
) -> NDArray[np.float32]:
    """Flows [..., 2, H, W] and landmarks [68, 2] (x, y) in px of these flows -> patches float32 [..., 2, 30, 7, 7].

    A patch is cut at the flow's own resolution, around the landmark's nearest px; `grid.to_grid` sets the scale. Values
    keep their unit. Raises BadData for wrong shapes and values that are not finite. The profile `paper` also raises it
    for a patch that would reach over the border, where the original code fails.
    """
    check_flows_and_landmarks(flows, landmarks)
    return cut_patches(flows, landmarks, settings_for_profile(profile, ROI_AU_PROFILES))


def cut_patches(pictures: NDArray[Any], landmarks: NDArray[np.float64], settings: RoiAuSettings) -> NDArray[np.float32]:
    """Pictures [..., H, W] and landmarks [68, 2] (x, y) in px of them -> patches float32 [..., 30, 7, 7].

    Raises BadData as `cut_flow_patches` for a patch that would reach over the border.
    """
    height, width = pictures.shape[-2:]
    x, y = np.floor(landmarks[ROI].T + 0.5).astype(np.int64)
    along_rows, along_columns = (y, x) if settings.patch_axes == "row-is-y" else (x, y)
    reach = _clamp_patch_indices if settings.border == "replicate" else _refuse_outside_indices
    rows, columns = reach(along_rows, height, "row"), reach(along_columns, width, "column")
    return np.ascontiguousarray(pictures[..., rows[:, :, None], columns[:, None, :]], dtype=np.float32)


def check_flows_and_landmarks(flows: NDArray[Any], landmarks: NDArray[np.float64]) -> None:
    """Raise BadData unless flows are finite [..., 2, H, W] and landmarks are finite [68, 2]."""
    if flows.ndim < 3 or flows.shape[-3] != 2 or 0 in flows.shape:
        raise BadData(
            f"expected flows of shape ...x2xHxW with (u, v), got {_format_shape(flows)}; move u and v to axis -3"
        )
    if landmarks.shape != (68, 2):
        raise BadData(
            f"expected landmarks of shape 68x2 (x, y), got {_format_shape(landmarks)}; give all 68 iBUG points"
        )
    if not np.isfinite(landmarks).all():
        raise BadData("expected finite landmarks, got NaN or infinity; detect them again on a frame with a face")
    if not np.isfinite(flows).all():
        pair = np.argwhere(~np.isfinite(flows))[0][:-3]
        raise BadData(f"expected finite flows, got NaN or infinity in flow {pair.tolist()}; compute that flow again")


def _clamp_patch_indices(centres: Indices, size: int, axis: str) -> Indices:
    """[30, 7] indices along one axis; those outside are moved to the border."""
    reach = centres[:, None] + np.arange(-RADIUS, RADIUS + 1)
    return np.asarray(np.clip(reach, 0, size - 1), dtype=np.int64)


def _refuse_outside_indices(centres: Indices, size: int, axis: str) -> Indices:
    """[30, 7] indices as a slice gives them: a start below zero counts from the end, as in the original code."""
    cut = [np.arange(size)[centre - RADIUS : centre + RADIUS + 1] for centre in centres]
    for landmark, centre, indices in zip(ROI, centres, cut, strict=True):
        if len(indices) != 2 * RADIUS + 1:
            raise BadData(
                f"expected every patch inside the flow, got landmark {landmark} at {axis} {centre} of {size}, where "
                f"the paper's code fails; leave {RADIUS} px around the face or use the profile `corrected`"
            )
    return np.array(cut)


def _format_shape(array: NDArray[Any]) -> str:
    return "x".join(map(str, array.shape)) or "a single number"
