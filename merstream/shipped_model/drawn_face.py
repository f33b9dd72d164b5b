"""One face without a picture: the fields of its action units, its depth, and the maps that are read from a motion.

Fields are drawn on a fine grid about the face. Their directions and widths vary from face to face, because nobody's
skin moves exactly as another's.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from merstream.shipped_model.expressions import JAW_DROP, MovedSkin
from merstream.synth.action_units import MIDLINE_AUS, FaceAxes, SkinModel, displacement_field
from merstream.synth.true_motion import face_depth
from merstream.synth.warping import Floats
from services.roi_au.maps import MAP_SIDE, average_cells, map_cell_edges, pixel_shares, strain_magnitude
from services.trainer.recogniser.geometry import PUBLISHED_BOX, PUBLISHED_EYES
from services.trainer.recogniser.labels import SHIPPED_UNITS

EYE_DISTANCE = 24.0  # px of the fine grid between the eyes
FIELD_SHAPE = (78, 76)  # rows and columns of the fine grid: both geometries fit in, moved ones too
EYES_MIDDLE = (37.5, 22.5)  # x, y of the middle between the eyes in the fine grid
BLINK = 45
UNITS_WITH_FIELDS = (*SHIPPED_UNITS, BLINK, JAW_DROP)

FineField = NDArray[np.float32]  # [2, H, W] of FIELD_SHAPE
Map = NDArray[np.float32]  # [3, 28, 28]: u, v, strain


class DrawnFace:
    """A face in the fine grid. `fields` [2, H, W] by AU and side, longest vector 1."""

    def __init__(self, rng: np.random.Generator, shape: Floats) -> None:
        """shape: landmarks [68, 2] in px of any scale."""
        self.landmarks = _vary_proportions(rng, _place_face(shape))
        self.columns, self.rows, self.cells_per_px = map_cell_edges(self.landmarks)
        self.skin: SkinModel = "patches" if rng.random() < 0.1 else "connected"
        self.fields: dict[tuple[int, str], FineField] = {}
        for number in UNITS_WITH_FIELDS:
            turn, softness = rng.normal(0, 0.18), abs(rng.normal(0, 0.05)) * EYE_DISTANCE
            for side in ("",) if number in MIDLINE_AUS or number == JAW_DROP else ("L", "R"):
                field = self._draw_field(number, side)
                self.fields[number, side] = _vary_field(field, turn if side == "L" else -turn, softness)
        self.depth = face_depth(self.landmarks, FIELD_SHAPE) / EYE_DISTANCE
        y, x = np.indices(FIELD_SHAPE, dtype=np.float32)
        centre = self.landmarks.mean(0)
        self.x, self.y = (x - centre[0]) / EYE_DISTANCE, (y - centre[1]) / EYE_DISTANCE
        self.eyes = np.array([self.landmarks[36:42].mean(0), self.landmarks[42:48].mean(0)])

    def _draw_field(self, number: int, side: str) -> Floats:
        if number == JAW_DROP:  # the chin goes down, the lips part
            return self._draw_field(25, "") - self._draw_field(17, "")
        skin = "connected" if number == 24 else self.skin
        return displacement_field(self.landmarks, number, side, FIELD_SHAPE, skin).transpose(2, 0, 1)

    def sum_fields(self, moved: list[MovedSkin]) -> FineField:
        """The motion of all these AUs."""
        total = np.zeros((2, *FIELD_SHAPE), np.float32)
        for part in moved:
            total += np.float32(part.amplitude) * self.fields[part.au_number, part.side]
        return total

    def draw_head_motion(self, rng: np.random.Generator, size: float) -> FineField:
        """Shift, roll, zoom, turn and nod that steadying left; in half of the maps the backdrop rests."""
        shift, (roll, zoom), (turn, nod) = (size * part * rng.normal(size=2) for part in (1.0, 0.5, 0.8))
        across = shift[0] - roll * self.y + zoom * self.x + turn * self.depth
        down = shift[1] + roll * self.x + zoom * self.y + nod * self.depth
        motion = np.stack([across, down])
        if rng.random() < 0.5:
            motion = motion / (1 + np.exp(6 * ((self.x / 1.2) ** 2 + (self.y / 1.6) ** 2 - 1)))
        return motion.astype(np.float32)

    def draw_gaze(self, rng: np.random.Generator) -> FineField:
        """Both irises move together."""
        y, x = np.indices(FIELD_SHAPE, dtype=np.float32)
        spots = [np.exp(-(((x - eye[0]) / 3) ** 2 + ((y - eye[1]) / 1.6) ** 2)) for eye in self.eyes]
        return np.asarray(rng.normal(0, 0.7, 2)[:, None, None] * (spots[0] + spots[1]), np.float32)

    def read_aligned(self, motion: FineField) -> Map:
        """The map of a motion [2, H, W], as `services.roi_au.maps.motion_maps` makes it."""
        across, down = pixel_shares(self.columns, FIELD_SHAPE[1]), pixel_shares(self.rows, FIELD_SHAPE[0])
        mean = average_cells(motion, across, down)
        return np.array([*mean, strain_magnitude(mean * self.cells_per_px)], np.float32)

    def read_published(self, rng: np.random.Generator, motion: FineField) -> Map:
        """The map in the published crop, which is placed with an error; each channel stretched to 0..255."""
        middle = self.eyes.mean(0) + 0.5
        pitch = EYE_DISTANCE * np.array(PUBLISHED_BOX) / MAP_SIDE * rng.uniform(0.94, 1.06, 2)  # px per cell
        place = PUBLISHED_EYES.mean(0) + rng.normal(0, 0.5, 2)
        columns, rows = (middle[k] + (np.arange(MAP_SIDE + 1) - place[k]) * pitch[k] for k in range(2))
        across, down = pixel_shares(columns, FIELD_SHAPE[1]), pixel_shares(rows, FIELD_SHAPE[0])
        if rng.random() < 0.5:  # strain of the whole picture, or of the small map
            made = average_cells(np.array([*motion, strain_magnitude(np.asarray(motion, np.float64))]), across, down)
        else:
            mean = average_cells(motion, across, down)
            made = np.array([*mean, strain_magnitude(mean)])
        return stretch_to_bytes(made)


def stretch_to_bytes(maps: NDArray[np.float64]) -> NDArray[np.float32]:
    """Each channel of [...,3,28,28] stretched to whole numbers of 0..255, as published maps are."""
    low, high = maps.min((-1, -2), keepdims=True), maps.max((-1, -2), keepdims=True)
    return np.asarray(np.round(255 * (maps - low) / np.maximum(high - low, 1e-12)), np.float32)


def _place_face(shape: Floats) -> NDArray[np.float64]:
    """Landmarks [68, 2], upright, with the eyes EYE_DISTANCE apart about EYES_MIDDLE."""
    axes = FaceAxes.from_landmarks(shape)
    around = (shape - (shape[36:42].mean(0) + shape[42:48].mean(0)) / 2) / axes.eye_distance
    return np.stack([around @ axes.right, around @ axes.down], 1) * EYE_DISTANCE + EYES_MIDDLE


def _vary_proportions(rng: np.random.Generator, landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longer or shorter lower faces, higher or lower brows, heads that are rolled or turned a little."""
    around = landmarks - EYES_MIDDLE
    around[:, 1] *= np.where(around[:, 1] > 0, rng.uniform(0.9, 1.1), 1.0)
    around[17:27, 1] += rng.normal(0, 0.03) * EYE_DISTANCE
    far_side = 1 - abs(rng.normal(0, 0.06))  # a turned head shows one side narrower
    around[:, 0] *= np.where(around[:, 0] * rng.choice([-1, 1]) > 0, far_side, 2 - far_side)
    roll = np.deg2rad(np.clip(rng.normal(0, 3), -7, 7))
    turned = around @ np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    return np.asarray(turned + EYES_MIDDLE + rng.normal(0, 0.01 * EYE_DISTANCE, 2))


def _vary_field(field: Floats, turn: float, softness: float) -> FineField:
    """The field with its direction turned by `turn` rad and blurred by `softness` px; longest vector 1."""
    cos, sin = np.cos(turn), np.sin(turn)
    turned = np.stack([cos * field[0] - sin * field[1], sin * field[0] + cos * field[1]]).astype(np.float32)
    if softness > 0.3:
        turned = np.stack([cv2.GaussianBlur(part, (0, 0), softness) for part in turned])
    return np.asarray(turned / np.linalg.norm(turned, axis=0).max(), np.float32)
