"""What the points of one face tell: its box, its eyes, how it is turned, and what it looks like."""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.face_mesh import EYE_CORNERS

Floats = NDArray[np.float64]

# Corners of the eye on the image's left and on its right; their middles are where the eyes are.
EYES = ((33, 133), (362, 263))
NOSE_TIP = 4
LOOK_SIDE = 32  # px of the small picture that tells persons apart
LOOK_ROOM = 2.6  # its side, in distances between the eyes
LOOK_FINEST, LOOK_COARSEST = 1.0, 4.0  # px, standard deviations of blurs between which features lie
LOOK_DROP = 0.35  # of its middle below the eyes, in distances between the eyes


def find_eyes(points: Floats) -> Floats:
    """Points [478, 3] -> the middles of the eyes [2, 2] px, the image's left one first."""
    return np.array([points[list(pair), :2].mean(0) for pair in EYES])


def measure_eye_distance(points: Floats) -> float:
    """Points [478, 3] -> the distance between the eyes, px; that of a turned head as if it were not turned."""
    left, right = (points[list(pair)].mean(0) for pair in EYES)
    return float(np.linalg.norm(right - left))


def measure_turn(points: Floats) -> float:
    """Points [478, 3] -> how far the head is turned to a side, degrees; 0 looks into the camera."""
    across = points[EYE_CORNERS[1]] - points[EYE_CORNERS[0]]
    return float(np.degrees(np.arctan2(across[2], np.hypot(across[0], across[1]))))


def bound_points(points: Floats) -> Floats:
    """Points [478, 3] -> their box [4]: left, top, right, bottom, px."""
    return np.concatenate([points[:, :2].min(0), points[:, :2].max(0)])


def is_plausible(points: Floats, width: int, height: int) -> bool:
    """Whether points [478, 3] may be a face in a frame of this size: of a face's form, its middle in the frame."""
    left, top, right, bottom = bound_points(points).tolist()
    inside = 0 <= (left + right) / 2 < width and 0 <= (top + bottom) / 2 < height
    wide, high = right - left, bottom - top
    return bool(inside and wide > 1 and 0.4 < high / wide < 2.5 and measure_eye_distance(points) > 0.15 * high)


def measure_jump(before: Floats, now: Floats) -> float:
    """How far eyes and tip of the nose moved between points [478, 3] of two frames, distances between the eyes."""
    places = [np.vstack([find_eyes(points), points[NOSE_TIP, :2]]) for points in (before, now)]
    return float(np.hypot(*(places[1] - places[0]).mean(0))) / max(measure_eye_distance(before), 1.0)


def read_look(pixels: NDArray[np.uint8], points: Floats) -> Floats:
    """A small level picture [32, 32] of the features of the face in a frame [H, W, 3], of mean 0 and length 1."""
    eyes = find_eyes(points)
    x, y = (eyes[1] - eyes[0]) * (LOOK_ROOM / LOOK_SIDE)
    step = np.array([(x, -y), (y, x)])
    unit = np.hypot(x, y) * LOOK_SIDE / LOOK_ROOM  # px between the eyes
    down = np.array([-y, x]) / max(float(np.hypot(x, y)), 1e-9)
    start = eyes.mean(0) + LOOK_DROP * unit * down - step @ np.full(2, (LOOK_SIDE - 1) / 2)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = np.concatenate([step, start[:, None]], 1)
    seen = cv2.warpAffine(pixels, matrix, (LOOK_SIDE, LOOK_SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    grey = cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY).astype(np.float64)
    # Features remain. Shading, which is the room's and not the person's, and noise do not.
    features = cv2.GaussianBlur(grey, (0, 0), LOOK_FINEST) - cv2.GaussianBlur(grey, (0, 0), LOOK_COARSEST)
    features -= features.mean()
    return np.asarray(features / max(float(np.linalg.norm(features)), 1e-9))
