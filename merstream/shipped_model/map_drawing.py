"""Maps of drawn faces without pictures: expressions, what is left of the head's motion, and disturbances.

A map costs a few milliseconds. It is read in two geometries: `aligned` (roi-au's) and `published` (the crop of the maps
that were published for MEGC2019).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from merstream.shipped_model.drawn_face import (
    BLINK,
    EYE_DISTANCE,
    FIELD_SHAPE,
    DrawnFace,
    FineField,
)
from merstream.shipped_model.expressions import ANY_UNITS, MovedSkin, draw_kinds, draw_moved_skin, mark_present_units
from merstream.synth.identity import draw_face_shape, random_generator
from services.trainer.recogniser.labels import FINE_CLASSES, NO_CLASS
from services.trainer.recogniser.training import NO_LABEL, LabelledMaps


@dataclass(frozen=True)
class MapDisturbances:
    """Lengths relative to the motion of a typical AU; pairs are the ends of log-uniform ranges.

    amplitude: of a clip's expression. head: rms of the head's remaining motion. noise: rms of the flow's error. grain:
    its width, eye distances. blur: the flow's own smoothness, eye distances. gain: log of the
    local change of motion, since a flow loses more of it where a face has little texture. blink, gaze: chances.
    """

    amplitude: tuple[float, float] = (0.5, 1.5)
    head: tuple[float, float] = (0.02, 0.8)
    noise: tuple[float, float] = (0.02, 0.5)
    grain: tuple[float, float] = (0.03, 0.6)
    blur: tuple[float, float] = (0.01, 0.2)
    gain: float = 0.3
    blink: float = 0.25
    gaze: float = 0.15


INDEX_OF_KIND = {ANY_UNITS: NO_LABEL} | {name: row for row, name in enumerate((*FINE_CLASSES, NO_CLASS))}
COMMON_DISTURBANCES = MapDisturbances()


def draw_maps_of_faces(
    seed: int, faces: range, maps_per_face: int, disturbances: MapDisturbances = COMMON_DISTURBANCES
) -> LabelledMaps:
    """`maps_per_face` maps of each of `faces`, by seed. A face's maps depend on seed and number alone."""
    parts = [_draw_maps_of_face(seed, face, maps_per_face, disturbances) for face in faces]
    return LabelledMaps(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in LabelledMaps.__dataclass_fields__)
    )


def _draw_maps_of_face(seed: int, number: int, count: int, disturbances: MapDisturbances) -> LabelledMaps:
    rng = random_generator(seed, number, 4)
    face = DrawnFace(rng, draw_face_shape(seed, number))
    kinds = draw_kinds(rng, count)
    moved = [draw_moved_skin(rng, kind) for kind in kinds]
    flows = [
        draw_fine_flow(rng, face, skin, disturbances, kind == NO_CLASS) for skin, kind in zip(moved, kinds, strict=True)
    ]
    return LabelledMaps(
        np.array([face.read_aligned(flow) for flow in flows]),
        np.array([face.read_published(rng, flow) for flow in flows]),
        np.array([INDEX_OF_KIND[kind] for kind in kinds], np.int64),
        np.array([mark_present_units(skin) for skin in moved]),
        np.full(count, number),
    )


def draw_fine_flow(
    rng: np.random.Generator, face: DrawnFace, moved: list[MovedSkin], disturbances: MapDisturbances, rests: bool
) -> FineField:
    """The flow of one clip, float32 [2, H, W], in units of a typical AU's motion. rests: there is no expression."""
    motion = np.float32(_log_uniform(rng, disturbances.amplitude)) * face.sum_fields(moved)
    if rng.random() < disturbances.blink:
        way = abs(rng.normal(0, 1.2 if rests else 0.6)) * (-1 if rng.random() < 0.15 else 1)  # lids seldom open
        motion += face.sum_fields([MovedSkin(BLINK, side, way * rng.uniform(0.8, 1.2)) for side in "LR"])
    if rng.random() < disturbances.gaze:
        motion += face.draw_gaze(rng)
    motion += face.draw_head_motion(rng, _log_uniform(rng, disturbances.head) * (2 if rests else 1))
    softness = EYE_DISTANCE * _log_uniform(rng, disturbances.blur)
    motion = motion * np.exp(disturbances.gain * _smooth_field(rng, 0.3 * EYE_DISTANCE))
    smooth = np.stack([cv2.GaussianBlur(part, (0, 0), softness) for part in motion])
    return np.asarray(smooth + _draw_noise(rng, disturbances), np.float32)


def _draw_noise(rng: np.random.Generator, disturbances: MapDisturbances) -> FineField:
    """The flow's error: smooth, and larger where a face has little texture."""
    grain, size = EYE_DISTANCE * _log_uniform(rng, disturbances.grain), _log_uniform(rng, disturbances.noise)
    texture = np.exp(0.7 * _smooth_field(rng, 0.4 * EYE_DISTANCE))
    noise = np.stack([_smooth_field(rng, grain) for _ in range(2)])
    return np.asarray(size * texture * noise, np.float32)


def _smooth_field(rng: np.random.Generator, grain: float) -> NDArray[np.float64]:
    """[H, W] of zero mean and unit variance, smooth over `grain` px."""
    field = cv2.GaussianBlur(rng.normal(size=FIELD_SHAPE), (0, 0), grain)
    return np.asarray((field - field.mean()) / field.std(), np.float64)


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))
