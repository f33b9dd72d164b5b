"""Action units (AUs) of the Facial Action Coding System as displacement fields anchored at the 68 landmarks.

A field is the displacement of the skin at the peak, in frame px, with longest vector 1. Directions and regions are
those of Ekman, Friesen & Hager 2002. Lengths are in units of the distance between the eyes' centres, so that they fit
any face. Landmarks are in iBUG order. `L` is the person's own left, the right half of the picture.

There are two models of the skin. `patches` moves the skin around an AU's landmarks alone. `connected` also moves what
hangs on it: the forehead above the brows, the cheek beside a smile, the middle of the upper lip. It has AU 24.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from merstream.synth.warping import Floats, pixel_grid, smooth_step

SkinModel = Literal["patches", "connected"]


@dataclass(frozen=True)
class SkinPull:
    """A Gaussian patch of skin that moves in one direction, given for the person's right side (the picture's left).

    A pull with `reach` is a band: above its centre the motion fades out over this height, as on the forehead.
    """

    anchor_landmarks: tuple[int, ...]  # landmarks whose mean is the patch's centre
    shift: tuple[float, float]  # from that mean to the patch's centre: (outwards, down)
    spread: tuple[float, float]  # standard deviation: (across, down)
    displacement: tuple[float, float]  # displacement: (outwards, down)
    reach: float | None = None  # height above the centre at which a band's skin rests


LIP_STRIP = 0.03  # half the height of the transition from the upper lip's motion to the lower lip's
PRESS_STRIP = 0.06  # the same for lips that press on each other: wider, or 3 px would squeeze them to nothing
FOREHEAD = 0.6  # height above the brows at which the skin rests
_PATCH_PULLS: dict[int, tuple[SkinPull, ...]] = {
    1: (SkinPull((20, 21), (-0.02, -0.06), (0.17, 0.17), (0.0, -1.0)),),
    2: (SkinPull((17, 18), (0.02, -0.06), (0.17, 0.17), (0.08, -1.0)),),
    4: (
        SkinPull((20, 21), (-0.03, 0.0), (0.17, 0.16), (-0.62, 0.78)),
        SkinPull((18, 19), (0.0, 0.0), (0.2, 0.15), (-0.2, 0.4)),
    ),
    5: (SkinPull((37, 38), (0.0, -0.015), (0.15, 0.06), (0.0, -1.0)),),
    6: (
        SkinPull((40, 41), (0.05, 0.27), (0.22, 0.16), (0.1, -1.0)),
        SkinPull((40, 41), (0.02, 0.03), (0.17, 0.06), (0.0, -0.5)),
        SkinPull((36,), (0.1, 0.03), (0.1, 0.12), (-0.5, -0.1)),
    ),
    7: (
        SkinPull((40, 41), (0.0, 0.02), (0.17, 0.06), (0.0, -1.0)),
        SkinPull((37, 38), (0.0, -0.03), (0.15, 0.05), (0.0, 0.35)),
    ),
    9: (
        SkinPull((31,), (0.02, -0.06), (0.13, 0.14), (-0.1, -1.0)),
        SkinPull((50,), (0.08, -0.08), (0.15, 0.1), (0.0, -0.6)),
        SkinPull((21, 39), (-0.08, 0.0), (0.13, 0.15), (-0.25, 0.6)),
    ),
    10: (
        SkinPull((49, 50), (0.03, 0.0), (0.13, 0.1), (0.0, -1.0)),
        SkinPull((31, 49), (0.1, 0.0), (0.13, 0.14), (0.1, -0.6)),
    ),
    12: (
        SkinPull((48,), (0.03, 0.0), (0.17, 0.15), (0.72, -0.7)),
        SkinPull((48,), (0.22, -0.2), (0.18, 0.18), (0.2, -0.45)),
    ),
    14: (
        SkinPull((48,), (0.05, 0.0), (0.11, 0.11), (-1.0, -0.1)),
        SkinPull((48,), (-0.16, 0.0), (0.08, 0.07), (0.3, 0.0)),
    ),
    15: (
        SkinPull((48,), (0.02, 0.02), (0.13, 0.14), (0.12, 1.0)),
        SkinPull((48, 6), (0.0, 0.0), (0.16, 0.16), (0.05, 0.45)),
    ),
    17: (
        SkinPull((7, 8, 9), (0.0, -0.14), (0.24, 0.15), (0.0, -1.0)),
        SkinPull((57,), (0.0, 0.0), (0.2, 0.08), (0.0, -0.75)),
    ),
    20: (
        SkinPull((48,), (0.02, 0.01), (0.17, 0.13), (1.0, 0.18)),
        SkinPull((48,), (0.25, 0.06), (0.16, 0.18), (0.5, 0.05)),
    ),
    45: (SkinPull((37, 38), (0.0, -0.015), (0.16, 0.055), (0.0, 1.0)),),
}
_JAW_PULLS = (SkinPull((7, 8, 9), (0.0, -0.1), (0.3, 0.2), (0.0, 0.35)),)
# Pulls of the connected skin that differ from those of the patches.
_CONNECTED_PULLS: dict[int, tuple[SkinPull, ...]] = _PATCH_PULLS | {
    1: (
        SkinPull((20, 21), (-0.03, -0.01), (0.16, 0.12), (0.0, -1.0), FOREHEAD),
        SkinPull((19,), (0.0, -0.04), (0.13, 0.1), (0.0, -0.25), FOREHEAD),
    ),
    2: (
        SkinPull((17, 18), (0.04, -0.04), (0.17, 0.11), (0.06, -1.0), FOREHEAD),
        SkinPull((18, 19), (0.0, -0.04), (0.14, 0.1), (0.0, -0.5), FOREHEAD),
    ),
    4: (
        SkinPull((20, 21), (-0.03, 0.0), (0.17, 0.13), (-0.6, 0.8), FOREHEAD),
        SkinPull((18, 19), (0.0, 0.0), (0.2, 0.12), (-0.25, 0.5), FOREHEAD),
    ),
    10: (
        SkinPull((49, 50), (0.0, 0.0), (0.145, 0.1), (0.0, -1.0)),
        SkinPull((31, 49), (0.1, 0.0), (0.13, 0.14), (0.1, -0.6)),
    ),
    12: (
        SkinPull((48,), (0.03, 0.0), (0.17, 0.15), (0.65, -0.95)),
        SkinPull((48,), (0.22, -0.2), (0.18, 0.18), (0.12, -0.3)),
        SkinPull((48,), (0.2, -0.06), (0.13, 0.2), (0.4, -0.1)),
    ),
    14: (*_PATCH_PULLS[14], SkinPull((58,), (0.04, 0.06), (0.13, 0.1), (0.0, -0.2))),
    15: (*_PATCH_PULLS[15], SkinPull((48, 58), (0.0, 0.03), (0.12, 0.08), (0.2, 0.2))),
}
_PULLS: dict[SkinModel, dict[int, tuple[SkinPull, ...]]] = {
    "patches": _PATCH_PULLS | {25: _JAW_PULLS},
    "connected": _CONNECTED_PULLS | {24: (), 25: _JAW_PULLS},
}
MIDLINE_AUS = frozenset({17, 24, 25})  # these have no sides
AU_NUMBERS = tuple(sorted(_PULLS["connected"]))
_OPPOSITE_LANDMARKS = {
    **dict(zip(range(17, 27), range(26, 16, -1), strict=True)),
    36: 45,
    37: 44,
    38: 43,
    39: 42,
    40: 47,
    41: 46,
    31: 35,
    48: 54,
    49: 53,
    50: 52,
    58: 56,
    6: 10,
}


def displacement_field(
    landmarks: Floats, au_number: int, side: str, shape: tuple[int, int], skin: SkinModel = "connected"
) -> Floats:
    """The displacement field of AU `au_number`, float32 [H, W, 2] (x, y), longest vector 1.

    landmarks: [68, 2] frame px. side: "L" or "R" (the person's own), "" for AUs on the midline. shape: H, W. Raises
    KeyError for an AU that this model of the skin does not have.
    """
    face = FaceAxes.from_landmarks(landmarks)
    pulls = _PULLS[skin][au_number]
    total = (
        _lip_field(au_number, landmarks, face, shape) if au_number in (24, 25) else np.zeros((*shape, 2), np.float32)
    )
    for pull in pulls:
        total += _pull_field(pull, landmarks, face, side, shape)
    return np.asarray(total / np.linalg.norm(total, axis=-1).max(), np.float32)


@dataclass(frozen=True)
class FaceAxes:
    """The face's own axes: unit vectors to the picture's right and down, and the distance between the eyes, px."""

    right: Floats
    down: Floats
    eye_distance: float

    @classmethod
    def from_landmarks(cls, landmarks: Floats) -> "FaceAxes":
        """From landmarks [68, 2] (x, y), px."""
        across = landmarks[42:48].mean(0) - landmarks[36:42].mean(0)
        eye = float(np.linalg.norm(across))
        right = across / eye
        return cls(right, np.array([-right[1], right[0]]), eye)

    def local_coordinates(self, centre: Floats, shape: tuple[int, int]) -> tuple[Floats, Floats]:
        """Two [H, W]: each pixel's coordinates (right, down) from `centre` [2], in distances between the eyes."""
        return self.coordinates_of(*pixel_grid(*shape), centre)

    def coordinates_of(self, x: Floats, y: Floats, centre: Floats) -> tuple[Floats, Floats]:
        """The same of the places (x, y), each [H, W] px."""
        dx, dy = ((v - c).astype(np.float32) / self.eye_distance for v, c in ((x, centre[0]), (y, centre[1])))
        return dx * self.right[0] + dy * self.right[1], dx * self.down[0] + dy * self.down[1]

    def move_down(self, x: Floats, y: Floats, way: Floats) -> tuple[Floats, Floats]:
        """The places (x, y), each float32 [H, W] px, moved down the face by `way` [H, W] distances between the eyes."""
        way = way.astype(np.float32) * np.float32(self.eye_distance)
        return x + way * np.float32(self.down[0]), y + way * np.float32(self.down[1])

    def lip_line(self, landmarks: Floats) -> tuple[Floats, Floats, Floats]:
        """The line where the lips meet: its middle [2] px, and [5] coordinates (right) and [5] (down) from there."""
        line = (landmarks[60:65] + landmarks[[60, 67, 66, 65, 64]]) / 2
        places = (line - line[2]) / self.eye_distance
        return line[2], places @ self.right, places @ self.down


def _pull_field(pull: SkinPull, landmarks: Floats, face: FaceAxes, side: str, shape: tuple[int, int]) -> Floats:
    left = side == "L"
    outward = face.right if left else -face.right
    anchors = [_OPPOSITE_LANDMARKS.get(i, i) for i in pull.anchor_landmarks] if left else list(pull.anchor_landmarks)
    centre = landmarks[anchors].mean(0) + face.eye_distance * (pull.shift[0] * outward + pull.shift[1] * face.down)
    across, down = face.local_coordinates(centre, shape)
    weight = np.exp(-0.5 * ((across / pull.spread[0]) ** 2 + (down / pull.spread[1]) ** 2))
    if pull.reach:
        band = np.exp(-0.5 * (across / pull.spread[0]) ** 2) * smooth_step(1 + down / pull.reach)
        weight = np.where(down < 0, band, weight)
    return np.asarray(
        weight[..., None] * (pull.displacement[0] * outward + pull.displacement[1] * face.down), np.float32
    )


def _lip_field(au_number: int, landmarks: Floats, face: FaceAxes, shape: tuple[int, int]) -> Floats:
    """The lips about the line where they meet: they part (AU 25) or press on each other (AU 24); the corners rest."""
    middle, knots, heights = face.lip_line(landmarks)
    along, below = face.local_coordinates(middle, shape)
    below = below - np.interp(along, knots, heights).astype(np.float32)
    width = (knots[-1] - knots[0]) / 2
    reach = smooth_step(1.15 - np.abs((along - knots.mean()) / width)) ** 0.7
    fade = np.exp(-0.5 * (below / np.where(below < 0, 0.09, 0.16)) ** 2)
    if au_number == 24:
        strength = 0.5 - smooth_step(0.5 + below / (2 * PRESS_STRIP))
    else:
        strength = smooth_step(0.5 + below / (2 * LIP_STRIP)) - 0.35
    return np.asarray((reach * fade * strength)[..., None] * face.down, np.float32)
