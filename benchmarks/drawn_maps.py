"""Flow maps of drawn faces, without pictures: displacement fields of action units, a head's motion, and noise.

Cheap (a map costs a millisecond), so that checks on many tables are possible. u, v and strain are known.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from merstream.synth.action_units import MIDLINE_AUS, displacement_field
from merstream.synth.portrait import neutral_portrait
from services.roi_au.maps import MAP_SIDE, map_cell_edges, strain_magnitude

Floats = NDArray[np.float64]
FINE = 4  # px of the drawn field per cell of the map
EYE_DISTANCE, MIDDLE = 11.0, 13.5  # cells
FACES = 6
EXPRESSIONS = {
    "negative": ((9,), (10,), (4, 5, 7), (1, 4, 15), (1, 2, 4, 20), (14,), (15,), (17,), (4,), (4, 7)),
    "positive": ((12,), (6, 12), (6, 12, 25)),
    "surprise": ((1, 2), (1, 2, 5), (1, 2, 25)),
}
UNITS = sorted({unit for choices in EXPRESSIONS.values() for units in choices for unit in units})


@dataclass(frozen=True)
class Disturbance:
    """head: rms of the head's remaining motion, px. noise: rms of the flow's error, px. grain: its width, cells."""

    head: float = 0.3
    noise: float = 0.1
    grain: float = 1.0


def draw_maps(labels: list[str], rng: np.random.Generator, disturbance: Disturbance = Disturbance()) -> Floats:
    """One map per label of EXPRESSIONS: [N,3,28,28] u, v in px and strain, which is computed before the map shrinks."""
    return np.array([_draw_map(label, rng, disturbance) for label in labels])


def stretch_maps(maps: Floats) -> NDArray[np.uint8]:
    """Each channel of [N,3,28,28] stretched to 0..255, as published maps are; uint8 of the same shape."""
    low, high = maps.min((-1, -2), keepdims=True), maps.max((-1, -2), keepdims=True)
    return np.asarray(np.round(255 * (maps - low) / (high - low)), np.uint8)


def _draw_map(label: str, rng: np.random.Generator, disturbance: Disturbance) -> Floats:
    fields = _face_fields(int(rng.integers(FACES)))
    choices = EXPRESSIONS[label]
    amplitude = rng.uniform(0.4, 2.0)
    motion = np.zeros((2, FINE * MAP_SIDE, FINE * MAP_SIDE))
    for unit in choices[rng.integers(len(choices))]:
        weaker = 0.0 if rng.random() < 0.1 else rng.uniform(0.65, 1)
        for side, weight in zip(
            ("",) if unit in MIDLINE_AUS else ("L", "R"), rng.permutation([1, weaker]), strict=False
        ):
            motion += amplitude * rng.uniform(0.6, 1.2) * weight * fields[unit, side]
    motion += _draw_head_motion(rng, disturbance.head)
    grain = disturbance.grain * FINE
    noise = np.stack([cv2.GaussianBlur(rng.normal(size=motion.shape[1:]), (0, 0), grain) for _ in range(2)])
    motion += disturbance.noise * noise / noise.std()
    fine = np.stack([*motion, strain_magnitude(motion)])
    return np.asarray(fine.reshape(3, MAP_SIDE, FINE, MAP_SIDE, FINE).mean((2, 4)))


def _draw_head_motion(rng: np.random.Generator, size: float) -> Floats:
    """[2,H,W] px: shift, roll, zoom, turn and nod; in half of the maps the background rests."""
    y, x = (np.mgrid[: FINE * MAP_SIDE, : FINE * MAP_SIDE] / FINE - MIDDLE) / EYE_DISTANCE
    shift, (roll, zoom), (turn, nod) = (size * part * rng.normal(size=2) for part in (1.0, 0.4, 0.5))
    depth = -0.6 * x**2 - 0.08 * y**2 + 0.35 * np.exp(-((x / 0.15) ** 2)) * (np.abs(y) < 0.35)
    face = 1 / (1 + np.exp(6 * ((x / 1.35) ** 2 + (y / 1.5) ** 2 - 1))) if rng.random() < 0.5 else 1.0
    return np.asarray(
        face * np.stack([shift[0] - roll * y + zoom * x + turn * depth, shift[1] + roll * x + zoom * y + nod * depth])
    )


@cache
def _face_fields(number: int) -> dict[tuple[int, str], Any]:
    """The fields of all UNITS of one drawn face: float32 [2,H,W], longest vector 1."""
    portrait = neutral_portrait().landmarks
    columns, rows, cells = map_cell_edges(portrait)
    rng = np.random.default_rng(number)
    places = (portrait + 0.5 - [columns[0], rows[0]]) * cells - MIDDLE + rng.normal(0, 0.25, portrait.shape)
    places = (places * rng.uniform(0.93, 1.07, 2) + rng.normal(0, 0.5, 2) + MIDDLE) * FINE
    shape = (FINE * MAP_SIDE, FINE * MAP_SIDE)
    return {
        (unit, side): displacement_field(places, unit, side, shape).transpose(2, 0, 1)
        for unit in UNITS
        for side in (("",) if unit in MIDLINE_AUS else ("L", "R"))
    }
