"""Maps: the motion from onset to apex over the aligned face, the input of the field's baselines (Liong et al. 2019).

The motion is that from the first magnified frame to the frame nearest the apex. In `corrected` these are the onset and
the apex themselves. The flows between them are concatenated, not summed: each is read at the place that the motion so
far has reached.

Error against the true motion of nine drawn clips (benchmarks/maps.py, profile `corrected` with the head as recorded).
The mean error over the map is in px of the frame; true motion is 0.279 px. The relative error is what is left after one
common gain:

| motion       | error, px | relative error | relative error, factor 2 |
| ------------ | --------- | -------------- | ------------------------ |
| concatenated | 0.041     | 0.177          | 0.209                    |
| summed       | 0.041     | 0.177          | 0.208                    |
| direct flow  | 0.040     | 0.177          | 0.210                    |

Strain is the magnitude of the infinitesimal strain tensor of that motion, sqrt(exx^2 + eyy^2 + 2 exy^2). Here exx =
du/dx, eyy = dv/dy and exy = (du/dy + dv/dx)/2, by central differences (one-sided at the border) on the map's own 28x28
cells. Strain on the frame's px is less accurate, since differences of neighbouring px are mostly the flow's noise. Its
relative error was 0.39 with the tensor averaged over a cell and 0.41 with the magnitude averaged, against 0.35 on the
cells (at factor 2: 0.44, 0.49, 0.40).
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.roi_au.roi import check_flows_and_landmarks
from shared.eye_distance import measured_eye_distance
from shared.stage import settings_for_profile
from shared.stage_settings.roi_au import ROI_AU_PROFILES, RoiAuSettings

MAP_SIDE = 28  # rows and columns of a map
# Positions (x, y) of the eyes' centres and of the middle between the mouth's corners, in cells from the map's upper
# left corner. The box reaches 0.8 eye distances above the eyes, 1.7 below them, and 1.3 to either side of the nose.
MAP_LANDMARKS = np.array([(8.5, 9.0), (19.5, 9.0), (14.0, 20.5)])

Floats = NDArray[np.float64]


def motion_maps(
    flows: NDArray[Any], landmarks: Floats, pairs: int, profile: str | RoiAuSettings = "corrected"
) -> NDArray[np.float32]:
    """u, v and strain of the motion to the apex: flows [F, T, 2, H, W] and landmarks [68, 2] -> float32 [F, 3, 28, 28].

    The first `pairs` of the T flows lead to the apex. Flows and landmarks (x, y) are in px of the frame. As in the
    patches, u and v are in px of the frame or of a frame with the eyes `eye_distance` px apart (setting `flow_units`).
    Strain has no unit. Raises BadData for wrong shapes, values that are not finite, and eyes that are too close
    together.
    """
    settings = settings_for_profile(profile, ROI_AU_PROFILES)
    check_flows_and_landmarks(flows, landmarks)
    unit = motion_unit(landmarks, settings)
    columns, rows, cells_per_px = map_cell_edges(landmarks)
    across, down = pixel_shares(columns, flows.shape[-1]), pixel_shares(rows, flows.shape[-2])
    made = []
    for clip in flows:
        mean = average_cells(concatenate_flows(clip[:pairs]), across, down)
        made.append([*mean * unit, strain_magnitude(mean * cells_per_px)])
    return np.array(made, dtype=np.float32)


def flow_maps(
    flows: NDArray[Any], landmarks: Floats, profile: str | RoiAuSettings = "corrected"
) -> NDArray[np.float16]:
    """u and v of each flow over the face: flows [F, T, 2, H, W] and landmarks [68, 2] -> float16 [F, T, 2, 28, 28].

    Units, alignment and errors as in `motion_maps`.
    """
    settings = settings_for_profile(profile, ROI_AU_PROFILES)
    check_flows_and_landmarks(flows, landmarks)
    columns, rows, _ = map_cell_edges(landmarks)
    across, down = pixel_shares(columns, flows.shape[-1]), pixel_shares(rows, flows.shape[-2])
    cells = [[average_cells(flow, across, down) for flow in clip] for clip in flows]
    return (np.array(cells) * motion_unit(landmarks, settings)).astype(np.float16)


def motion_unit(landmarks: Floats, settings: RoiAuSettings) -> float:
    """The units of motion per px of the frame, by the setting `flow_units`; landmarks [68, 2] px."""
    return settings.eye_distance / measured_eye_distance(landmarks) if settings.flow_units == "grid" else 1.0


def average_cells(motion: NDArray[Any], across: Floats, down: Floats) -> Floats:
    """The mean of a motion [2, H, W] over the cells of a map, [2, 28, 28], by `pixel_shares` [28, W] and [28, H]."""
    # einsum, not BLAS, whose order of summation depends on the machine
    return np.asarray(np.einsum("ry,cyk->crk", down, np.einsum("cyx,kx->cyk", motion, across)))


def concatenate_flows(flows: NDArray[Any]) -> NDArray[np.float32]:
    """Consecutive flows [T, 2, H, W] -> motion [2, H, W], px, from the first to the last frame at each px of the first.

    A point that leaves the frame moves on with the frame's border.
    """
    y, x = np.indices(flows.shape[-2:], dtype=np.float32)
    motion = flows[0].astype(np.float32)
    for flow in flows[1:]:
        onward = [
            cv2.remap(part, x + motion[0], y + motion[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            for part in flow.astype(np.float32)
        ]
        motion = motion + np.array(onward, dtype=np.float32)
    return motion


def strain_magnitude(motion: Floats) -> Floats:
    """(u, v) [2, N, M] in units of the spacing -> strain [N, M], no unit."""
    (uy, ux), (vy, vx) = (np.gradient(part) for part in motion)
    return np.sqrt(ux**2 + vy**2 + (uy + vx) ** 2 / 2)


def map_cell_edges(landmarks: Floats) -> tuple[Floats, Floats, float]:
    """Edges [29] of the map's columns, edges [29] of its rows, and cells per px, from landmarks [68, 2].

    Edges are in px from the frame's upper left corner. The map is moved and scaled, not turned, so that eyes and mouth
    are nearest to `MAP_LANDMARKS` (least squares).
    """
    face = np.array([landmarks[36:42].mean(0), landmarks[42:48].mean(0), landmarks[[48, 54]].mean(0)]) + 0.5
    around, wanted = face - face.mean(0), MAP_LANDMARKS - MAP_LANDMARKS.mean(0)
    scale = float((around * wanted).sum() / (around**2).sum())
    edges = (np.arange(MAP_SIDE + 1)[:, None] - MAP_LANDMARKS.mean(0)) / scale + face.mean(0)
    return edges[:, 0], edges[:, 1], scale


def pixel_shares(edges: Floats, pixels: int) -> Floats:
    """Edges [cells + 1] -> [cells, pixels]: the share of each px in the mean over each cell along one axis.

    The outermost px of the frame continue beyond it without end.
    """
    start = np.arange(pixels, dtype=np.float64)
    end = start + 1
    start[0], end[-1] = -np.inf, np.inf
    overlap = np.clip(np.minimum(edges[1:, None], end) - np.maximum(edges[:-1, None], start), 0, None)
    return np.asarray(overlap / overlap.sum(1, keepdims=True))
