"""Maps: the motion from onset to apex over the aligned face, as the field's baselines take it (Liong et al. 2019).

Which motion: that of the flows between the first frame that has a flow and the frame nearest the apex, one after the
other, each read where the motion so far has led to (a concatenation, not a sum). The magnifier gives nothing for the
onset frame itself, so the first frame is one step of the timeline after it.

Against the true motion of nine drawn clips (profile `corrected`, not magnified, mean over the map, px of the frame;
true motion 0.217): concatenated 0.050, summed 0.050, flow computed directly between the two frames 0.049; relative
error after one common gain 0.247, 0.247, 0.249, at factor 2 0.217, 0.217, 0.219. From the onset itself to the apex it
were 0.276 px.

Strain is the magnitude of the infinitesimal strain tensor of that motion, sqrt(exx^2 + eyy^2 + 2 exy^2) with exx =
du/dx, eyy = dv/dy and exy = (du/dy + dv/dx)/2, by central differences (one-sided at the border) on the map's own
28x28 cells. On the frame's px it came out worse, since differences of neighbouring px are mostly the flow's noise:
relative error 0.54 with the tensor averaged over a cell, 0.57 with the magnitude, 0.50 so (factor 2: 0.44, 0.48,
0.40).
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.roi_au.grid import measured_eye_distance
from services.roi_au.roi import check_flows_and_landmarks
from services.roi_au.settings import PROFILES, RoiAuSettings
from shared.stage import settings_for_profile

MAP_SIDE = 28  # rows and columns of a map
# Where eyes (centres) and mouth (middle of its corners) lie, (x, y) in cells from the map's upper left corner: the box
# reaches 0.8 eye distances above the eyes, 1.7 below them, and 1.3 to either side of the nose.
MAP_LANDMARKS = np.array([(8.5, 9.0), (19.5, 9.0), (14.0, 20.5)])

Floats = NDArray[np.float64]


def motion_maps(
    flows: NDArray[Any], landmarks: Floats, pairs: int, profile: str | RoiAuSettings = "corrected"
) -> NDArray[np.float32]:
    """Flows FxTx2xHxW in px of the frame, landmarks 68x2 (x, y), how many of the T flows lead to the apex -> Fx3x28x28.

    u and v are in px of the frame, or of a frame with the eyes `eye_distance` px apart (setting `flow_units`), as in
    the patches; strain has no unit. Raises BadData for wrong shapes, values that are not finite, eyes that coincide.
    """
    settings = settings_for_profile(profile, PROFILES)
    check_flows_and_landmarks(flows, landmarks)
    unit = settings.eye_distance / measured_eye_distance(landmarks) if settings.flow_units == "grid" else 1.0
    columns, rows, cells_per_px = map_cell_edges(landmarks)
    across, down = pixel_shares(columns, flows.shape[-1]), pixel_shares(rows, flows.shape[-2])
    made = []
    for clip in flows:
        motion = concatenate_flows(clip[:pairs])
        mean = np.einsum("ry,cyk->crk", down, np.einsum("cyx,kx->cyk", motion, across))  # 2x28x28; BLAS sums by machine
        made.append([*mean * unit, strain_magnitude(mean * cells_per_px)])
    return np.array(made, dtype=np.float32)


def count_pairs_to_apex(positions: Sequence[float] | Floats, apex: float, flows: int) -> int:
    """How many of the flows lead from the first frame that has one to the frame nearest the apex; at least one.

    The flows belong to the shown `positions` without the first, the onset, of which the magnifier makes no frame; a
    flow beyond them (profile `paper`: to a raw copy of the last frame) is no motion and never counts.
    """
    shown = np.asarray(positions, np.float64)[1 : flows + 2]
    return max(1, int(np.abs(shown - apex).argmin()))


def concatenate_flows(flows: NDArray[Any]) -> NDArray[np.float32]:
    """Consecutive flows Tx2xHxW -> the motion from the first to the last frame, 2xHxW, at each px of the first. What
    leaves the frame goes on as its border does."""
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
    """(u, v) 2xNxM in units of the spacing -> strain NxM."""
    (uy, ux), (vy, vx) = (np.gradient(part) for part in motion)
    return np.sqrt(ux**2 + vy**2 + (uy + vx) ** 2 / 2)


def map_cell_edges(landmarks: Floats) -> tuple[Floats, Floats, float]:
    """Edges of the map's columns and rows in the frame, 29 each, px from its upper left corner; and cells per px.

    Moved and scaled, not turned, so that eyes and mouth come nearest to PLACES (least squares).
    """
    face = np.array([landmarks[36:42].mean(0), landmarks[42:48].mean(0), landmarks[[48, 54]].mean(0)]) + 0.5
    around, wanted = face - face.mean(0), MAP_LANDMARKS - MAP_LANDMARKS.mean(0)
    scale = float((around * wanted).sum() / (around**2).sum())
    edges = (np.arange(MAP_SIDE + 1)[:, None] - MAP_LANDMARKS.mean(0)) / scale + face.mean(0)
    return edges[:, 0], edges[:, 1], scale


def pixel_shares(edges: Floats, pixels: int) -> Floats:
    """[cells, pixels]: the share of each px in the mean over each cell along one axis. Beyond the frame its outermost
    px go on for ever."""
    start = np.arange(pixels, dtype=np.float64)
    end = start + 1
    start[0], end[-1] = -np.inf, np.inf
    overlap = np.clip(np.minimum(edges[1:, None], end) - np.maximum(edges[:-1, None], start), 0, None)
    return np.asarray(overlap / overlap.sum(1, keepdims=True))
