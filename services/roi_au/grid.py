"""The grid on which patches are cut: the flow at one scale for all cameras.

A patch has 7x7 values. It would cover 7 % of the eye distance in a crop of 224x280 px and 14 % in one of 112x140 px. So
the flow is first averaged down (or interpolated up) to a grid on which all faces have the same size.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.roi_au.landmarks import rescale_points
from services.roi_au.roi import RADIUS, check_flows_and_landmarks
from shared.eye_distance import measured_eye_distance
from shared.regions_of_interest import ROI
from shared.stage import settings_for_profile
from shared.stage_settings.roi_au import ROI_AU_PROFILES, RoiAuSettings

IMAGE = (128, 128)  # rows, columns of the paper's face image
MARGIN = RADIUS + 2  # grid px around the outermost landmark: its patch, rounding, one more for interpolation

Flows = NDArray[np.float32]
Points = NDArray[np.float64]


def to_grid(flows: NDArray[Any], landmarks: Points, profile: str | RoiAuSettings = "corrected") -> tuple[Flows, Points]:
    """Flows [..., 2, H, W] and landmarks [68, 2] (x, y), px of the frame -> both on the grid.

    Returns the flows as float32 [..., 2, rows, columns] and the landmarks in px of the grid. The grid `face` has only
    the part of the frame around brows and mouth. u and v are in px of the grid or of the frame (setting `flow_units`).
    Raises BadData for wrong shapes, values that are not finite, and eyes that are too close together.
    """
    settings = settings_for_profile(profile, ROI_AU_PROFILES)
    check_flows_and_landmarks(flows, landmarks)
    if settings.grid == "face":
        scale = settings.eye_distance / measured_eye_distance(landmarks)
        flows, landmarks = _crop_around_rois(flows, landmarks, scale)
        rows, columns = (max(1, round(size * scale)) for size in flows.shape[-2:])
    else:
        rows, columns = IMAGE
    size = flows.shape[-2:]
    resampled = _resample_flows(flows, rows, columns)
    if settings.flow_units == "grid":
        resampled *= np.array([columns / size[1], rows / size[0]], dtype=np.float32)[:, None, None]
    return resampled, rescale_points(landmarks, size, (rows, columns))


def _crop_around_rois(flows: NDArray[Any], landmarks: Points, scale: float) -> tuple[NDArray[Any], Points]:
    """The part [..., 2, h, w] of the flow that patches can reach, and the landmarks [68, 2] in px of that part."""
    height, width = flows.shape[-2:]
    margin = MARGIN / scale
    last = np.array([width, height]) - 1  # a landmark outside the frame still leaves one row and column inside
    first_x, first_y = np.clip(np.floor(landmarks[ROI].min(axis=0) - margin), 0, last).astype(int)
    last_x, last_y = np.clip(np.ceil(landmarks[ROI].max(axis=0) + margin), 0, last).astype(int)
    return flows[..., first_y : last_y + 1, first_x : last_x + 1], landmarks - (first_x, first_y)


def _resample_flows(flows: NDArray[Any], rows: int, columns: int) -> Flows:
    """[..., 2, H, W] -> [..., 2, rows, columns]: means over areas where the grid is coarser, else interpolation."""
    height, width = flows.shape[-2:]
    down = cv2.INTER_LINEAR if rows >= height else cv2.INTER_AREA
    across = cv2.INTER_LINEAR if columns >= width else cv2.INTER_AREA
    planes = flows.astype(np.float32).reshape(-1, height, width)
    narrowed = [cv2.resize(plane, (columns, height), interpolation=across) for plane in planes]
    done = [cv2.resize(plane, (columns, rows), interpolation=down) for plane in narrowed]
    return np.array(done, dtype=np.float32).reshape(*flows.shape[:-2], rows, columns)
