"""Eyes that close and lips that part: maps that hide or open a slit, which no displacement field can.

Both are backward maps on the face at rest. An upper lid is a layer that comes down over the eyeball, which stays where
it is. Parted lips show the dark of the line where they meet. Lengths are in distances between the eyes.
"""

from dataclasses import dataclass

import numpy as np

from merstream.synth.action_units import FaceAxes
from merstream.synth.warping import Floats, smooth_step

LID_BAND = 0.17  # height of the upper lid's skin that stretches over the eyeball
LID_OVERLAP = 0.04  # a closed upper lid ends this far below the lower lid's edge
LASHES = 0.05  # height of the lashes at the lid's edge
LIP_FADE = 0.12  # height above the upper lip over which its motion fades out
CHIN_REACH, CHIN_FADE = 0.6, 0.4  # the jaw moves down to CHIN_REACH below the lips and rests CHIN_FADE further down
UPPER_SHARE = 0.2  # part of the opening by which the upper lip rises; the jaw takes the rest
MAX_OPENING = 0.15  # largest opening of the lips


@dataclass(frozen=True)
class EyeLids:
    """One eye between its corners: the upper and the lower lid's edge as cubic curves through four landmarks each."""

    face: FaceAxes
    centre: Floats  # [2] px
    ends: tuple[float, float]  # the corners along the face's own axis
    upper: np.polynomial.Polynomial
    lower: np.polynomial.Polynomial

    @classmethod
    def from_landmarks(cls, landmarks: Floats, side: str) -> "EyeLids":
        """landmarks: [68, 2] px. side: "L" or "R", the person's own."""
        face = FaceAxes.from_landmarks(landmarks)
        upper, lower = ([42, 43, 44, 45], [42, 47, 46, 45]) if side == "L" else ([36, 37, 38, 39], [36, 41, 40, 39])
        centre = landmarks[[*upper, *lower[1:3]]].mean(0)
        places = (landmarks - centre) / face.eye_distance
        across, down = places @ face.right, places @ face.down
        curves = [np.polynomial.Polynomial.fit(across[line], down[line], 3) for line in (upper, lower)]
        return cls(face, centre, (float(across[upper[0]]), float(across[upper[-1]])), *curves)

    @property
    def opening(self) -> float:
        """The largest distance between the lids at rest, in distances between the eyes."""
        along = np.linspace(*self.ends, 41)
        return float((self.lower(along) - self.upper(along)).max())

    def bounding_box(self, size: tuple[int, int], margin: float) -> tuple[slice, slice]:
        """The rows and columns of the frame that a blink can change if the head moves by up to `margin` px."""
        half = np.array([0.35, 0.3]) * self.face.eye_distance + margin
        return _clip_box(self.centre - half, self.centre + half, size)

    def draw_lid(self, x: Floats, y: Floats, closure: float) -> tuple[Floats, Floats, Floats]:
        """The upper lid over the places (x, y) [h, w] px of the face at rest, closed by 0..1 (shut).

        Returns the source of the lid's skin, x and y [h, w] px, and how much it covers, float32 [h, w] in 0..1.
        """
        across, down = self.face.coordinates_of(x, y, self.centre)
        along = np.clip(across, *self.ends)
        upper = self.upper(along)
        inside = smooth_step(10 * np.minimum(across - self.ends[0], self.ends[1] - across) / np.ptp(self.ends))
        way = closure * (np.maximum(self.lower(along) - upper, 0) + LID_OVERLAP) * inside
        above_edge = upper + way - down
        band = (LID_BAND - LASHES) / (LID_BAND - LASHES + way)  # the lashes keep their length, the skin above stretches
        source = upper - np.where(above_edge < LASHES, np.maximum(above_edge, 0), LASHES + (above_edge - LASHES) * band)
        cover = np.clip(0.5 + above_edge * self.face.eye_distance, 0, 1) * (down > upper - LID_BAND) * (way > 0)
        return *self.face.move_down(x, y, source - down), cover.astype(np.float32)


@dataclass(frozen=True)
class LipParting:
    """The line where closed lips meet, and the jaw below it."""

    face: FaceAxes
    centre: Floats  # [2] px
    knots: Floats  # [5] along the line
    heights: Floats  # [5]

    @classmethod
    def from_landmarks(cls, landmarks: Floats) -> "LipParting":
        """landmarks: [68, 2] px."""
        face = FaceAxes.from_landmarks(landmarks)
        centre, knots, heights = face.lip_line(landmarks)
        return cls(face, centre, knots, heights)

    def bounding_box(self, size: tuple[int, int], margin: float) -> tuple[slice, slice]:
        """The rows and columns of the frame that parted lips can change if the head moves by up to `margin` px."""
        low = np.array([-0.95, -0.4]) * self.face.eye_distance - margin
        high = np.array([0.95, 1.1]) * self.face.eye_distance + margin
        return _clip_box(self.centre + low, self.centre + high, size)

    def open(self, x: Floats, y: Floats, opening: float) -> tuple[Floats, Floats]:
        """The source of the skin at the places (x, y) [h, w] px of the face at rest, the lips parted by `opening`."""
        across, down = self.face.coordinates_of(x, y, self.centre)
        below = down - np.interp(across, self.knots, self.heights)
        half = (self.knots[-1] - self.knots[0]) / 2
        slit = np.clip(1 - ((across - self.knots.mean()) / half) ** 2, 0, 1) ** 0.8
        upper, lower = UPPER_SHARE * opening * slit, (1 - UPPER_SHARE) * opening * slit
        jaw = (1 - UPPER_SHARE) * opening * np.exp(-0.5 * (across / 0.32) ** 2)
        above = below + upper * np.exp(-0.5 * ((below + upper) / LIP_FADE) ** 2)
        near = np.exp(-0.5 * ((below - lower) / 0.12) ** 2)
        fade = smooth_step(1 - (below - CHIN_REACH) / CHIN_FADE)
        under = below - (lower * near + jaw * (1 - near)) * fade
        source = np.where(below < -upper, above, np.where(below > lower, under, 0.0))
        return self.face.move_down(x, y, source - below)


def _clip_box(low: Floats, high: Floats, size: tuple[int, int]) -> tuple[slice, slice]:
    left, top = (int(v) for v in np.maximum(np.floor(low), 0))
    right, bottom = (int(v) for v in np.minimum(np.ceil(high), size[::-1]))
    return np.s_[top:bottom, left:right]
