"""The regions of a face whose motion is measured, laid on its landmarks.

Lengths are distances between the centres of the eyes. A region is a round Gaussian window. Sides are the person's own:
the right one is the picture's left. Landmarks are in iBUG's order.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared.spotting.face_motion import Values

FacePart = Literal["brows", "eyes", "middle", "mouth"]


@dataclass(frozen=True)
class SkinRegion:
    """A window around a place that hangs on landmarks.

    landmarks: their mean is the place, moved by `shift` (to the picture's right, down). radius: the standard deviation
    of the window. mirror: the region of the other side; its own name for a region on the midline.
    """

    name: str
    part: FacePart
    landmarks: tuple[int, ...]
    shift: tuple[float, float]
    radius: float
    mirror: str


def _both_sides(
    name: str, part: FacePart, right: tuple[int, ...], left: tuple[int, ...], shift: tuple[float, float], radius: float
) -> list[SkinRegion]:
    """A region on each side; `shift` is (outwards, down)."""
    out, down = shift
    return [
        SkinRegion(f"right {name}", part, right, (-out, down), radius, f"left {name}"),
        SkinRegion(f"left {name}", part, left, (out, down), radius, f"right {name}"),
    ]


def _on_midline(
    name: str, part: FacePart, landmarks: tuple[int, ...], shift: tuple[float, float], radius: float
) -> SkinRegion:
    return SkinRegion(name, part, landmarks, shift, radius, name)


# Distances from the lids within which skin moves in a blink: up to the first it does not count, from the second on
# in full.
LID_REACH = (0.08, 0.16)

REGIONS: tuple[SkinRegion, ...] = (
    *_both_sides("inner brow", "brows", (20, 21), (22, 23), (-0.02, -0.03), 0.08),
    *_both_sides("middle brow", "brows", (19,), (24,), (0.0, -0.03), 0.08),
    *_both_sides("outer brow", "brows", (17, 18), (25, 26), (0.0, -0.03), 0.08),
    _on_midline("glabella", "brows", (21, 22), (0.0, 0.02), 0.08),
    *_both_sides("lid", "eyes", (37, 38), (43, 44), (0.0, 0.0), 0.06),
    *_both_sides("cheek", "middle", (40, 41), (46, 47), (0.05, 0.27), 0.1),
    *_both_sides("nose wing", "middle", (31,), (35,), (0.04, -0.04), 0.08),
    *_both_sides("mouth corner", "mouth", (48,), (54,), (0.03, 0.0), 0.08),
    _on_midline("upper lip", "mouth", (50, 51, 52), (0.0, -0.02), 0.08),
    _on_midline("lower lip", "mouth", (56, 57, 58), (0.0, 0.0), 0.08),
    _on_midline("chin", "mouth", (7, 8, 9), (0.0, -0.16), 0.1),
)
REGION_NAMES = tuple(region.name for region in REGIONS)
REGION_INDEX = {name: index for index, name in enumerate(REGION_NAMES)}
LID_REGIONS = [REGION_INDEX["left lid"], REGION_INDEX["right lid"]]


def place_regions(landmarks: Values, eye_distance: float) -> Values:
    """Centres [R, 2] (x, y) px of the regions in an upright face with landmarks [68, 2] px."""
    return np.array(
        [landmarks[list(region.landmarks)].mean(0) + eye_distance * np.array(region.shift) for region in REGIONS]
    )


def weigh_regions(landmarks: Values, eye_distance: float, shape: tuple[int, int], step: int) -> NDArray[np.float32]:
    """Weights float32 [R, (H / step) * (W / step)] of the pixels of every `step`-th row and column; a region's sum 1.

    shape: H, W of the picture of the face.
    """
    y, x = (axis.astype(np.float64) for axis in np.mgrid[: shape[0] : step, : shape[1] : step])
    lids = landmarks[36:48]
    away = np.sqrt(((x[..., None] - lids[:, 0]) ** 2 + (y[..., None] - lids[:, 1]) ** 2).min(-1)) / eye_distance
    beside_eyes = np.clip((away - LID_REACH[0]) / (LID_REACH[1] - LID_REACH[0]), 0, 1).ravel()
    weights = []
    for (left, top), region in zip(place_regions(landmarks, eye_distance), REGIONS, strict=True):
        weight = np.exp(-0.5 * ((x - left) ** 2 + (y - top) ** 2) / (region.radius * eye_distance) ** 2).ravel()
        if region.part != "eyes":
            weight = weight * beside_eyes
        weights.append(weight / max(float(weight.sum()), 1e-12))
    return np.array(weights, np.float32)
