"""A small grey picture of a face that stays in place: the frame, moved by a similarity that rigid points give."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.spotting.face_motion import Values

Grey = NDArray[np.uint8]

EYES_APART = 60.0  # px of the small picture
SHAPE = (200, 160)  # its rows and columns
EYES_AT = (79.5, 76.0)  # (x, y) px of the middle between the eyes
GRID = np.stack(np.meshgrid(np.arange(SHAPE[1]), np.arange(SHAPE[0]))).astype(np.float32)  # x, y
# Points of the mesh that expressions hardly move: corners of the eyes, ridge of the nose, forehead, temples, cheeks.
RIGID_POINTS = np.array(
    [
        *(33, 133, 362, 263),
        *(168, 6, 197, 195),
        *(10, 151, 67, 109, 338, 297, 103, 332, 69, 299),
        *(127, 34, 162, 21, 356, 264, 389, 251),
        *(234, 227, 116, 454, 447, 345, 93, 323, 132, 361),
    ]
)


@dataclass(frozen=True)
class Similarity:
    """From px of the small picture to px of the frame: x' = a x - b y + left, y' = b x + a y + top."""

    a: float
    b: float
    left: float
    top: float

    @property
    def scale(self) -> float:
        """Px of the frame per px of the small picture."""
        return float(np.hypot(self.a, self.b))

    def map_to_frame(self, places: Values) -> Values:
        """Places [..., 2] of the small picture in the frame."""
        x, y = places[..., 0], places[..., 1]
        return np.stack([self.a * x - self.b * y + self.left, self.b * x + self.a * y + self.top], -1)

    def map_to_picture(self, places: Values) -> Values:
        """Places [..., 2] of the frame in the small picture."""
        x, y = places[..., 0] - self.left, places[..., 1] - self.top
        size = self.a**2 + self.b**2
        return np.stack([self.a * x + self.b * y, self.a * y - self.b * x], -1) / size


def fit_similarity(picture: Values, frame: Values) -> Similarity:
    """The similarity that maps points [N, 2] of the small picture to those of the frame best (least squares)."""
    here, there = picture.mean(0), frame.mean(0)
    p, q = picture - here, frame - there
    size = float((p**2).sum())
    a = float((p * q).sum()) / size
    b = float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()) / size
    return Similarity(a, b, there[0] - a * here[0] + b * here[1], there[1] - b * here[0] - a * here[1])


def place_first_face(eyes: Values) -> Similarity:
    """The similarity that puts the centres of the eyes [2, 2] px of a frame, the image's left one first, in place."""
    half = EYES_APART / 2
    x, y = EYES_AT
    return fit_similarity(np.array([(x - half, y), (x + half, y)]), eyes)


class FaceCrop:
    """The part of a frame, uint8 RGB [H, W, 3], around the face, grey, and near the small picture's scale."""

    def __init__(self, pixels: NDArray[np.uint8], place: Similarity):
        rows, columns = SHAPE
        corners = place.map_to_frame(np.array([(-8, -8), (columns + 8, -8), (-8, rows + 8), (columns + 8, rows + 8)]))
        size = np.array(pixels.shape[1::-1])
        low = np.clip(np.floor(corners.min(0)).astype(int), 0, size - 2)
        high = np.clip(np.ceil(corners.max(0)).astype(int), low + 2, size)
        part = pixels[low[1] : high[1], low[0] : high[0]]
        grey = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY)
        shrink = max(1, min(int(place.scale), *((high - low) // 2).tolist()))
        if shrink > 1:
            whole = (high - low) // shrink
            grey = cv2.resize(
                grey[: whole[1] * shrink, : whole[0] * shrink],
                (int(whole[0]), int(whole[1])),
                interpolation=cv2.INTER_AREA,
            )
        blur = 0.45 * float(np.sqrt(max((place.scale / shrink) ** 2 - 1, 0)))  # what the sampling would alias
        if blur > 0.25:
            grey = cv2.GaussianBlur(grey, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
        self._grey, self._low, self._shrink, self._place = np.asarray(grey), low, shrink, place

    def read_picture(self, motion: NDArray[np.float32] | None = None) -> Grey:
        """The small picture, uint8 [200, 160], where each pixel shows the place moved by `motion` [200, 160, 2] px."""
        x, y = GRID
        if motion is not None:
            x, y = x + motion[..., 0], y + motion[..., 1]
        place, shrink = self._place, self._shrink
        offset_x = (place.left - self._low[0] + 0.5) / shrink - 0.5
        offset_y = (place.top - self._low[1] + 0.5) / shrink - 0.5
        a, b = np.float32(place.a / shrink), np.float32(place.b / shrink)
        at_x = a * x - b * y + np.float32(offset_x)
        at_y = b * x + a * y + np.float32(offset_y)
        seen = cv2.remap(self._grey, at_x, at_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(seen, np.uint8)
