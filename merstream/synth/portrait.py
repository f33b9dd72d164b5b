"""The photograph of which every identity is made: landmarks, masks, and the smile closed to a neutral mouth.

Source: `skimage.data.astronaut()`, NASA's portrait of Eileen Collins, public domain. Its outlines are in
`portrait_outlines`.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import skimage.data

from merstream.synth import portrait_outlines
from merstream.synth.warping import (
    Floats,
    fill_polygon,
    gaussian_blur,
    pixel_grid,
    sample_image,
    smooth_step,
    thin_plate_spline,
)

PORTRAIT_SCALE = 4  # portrait px per photograph px
PHOTOGRAPH_BOX = (95, 0, 355, 210)  # left, top, right, bottom of the used part of the photograph, px

EYE_LANDMARKS = ((36, 42), (42, 48))
JAW_LANDMARKS = slice(5, 12)
JAW_DROP_PX = 2.2  # px: a smile with parted teeth lowers the chin by this; the closed mouth lifts it back


@dataclass(frozen=True)
class Portrait:
    """The neutral face in portrait px.

    image: float32 [H, W, 3] RGB 0..255. landmarks: [68, 2] (x, y). Masks: float32 [H, W] in 0..1.
    """

    image: Floats
    landmarks: Floats
    outline: Floats  # [N, 2] the hair's outline, for a change of its shape
    hair: Floats
    skin: Floats
    suit: Floats
    eyes: Floats
    lips: Floats


def portrait_points(points: Floats) -> Floats:
    """Points [N, 2] in photograph px -> portrait px (pixel centres at whole numbers in both)."""
    return np.asarray((points - np.array(PHOTOGRAPH_BOX[:2]) + 0.5) * PORTRAIT_SCALE - 0.5)


@cache
def neutral_portrait() -> Portrait:
    """The portrait with its mouth closed; computed once per process, the same for every seed."""
    smiling = _enlarge_photograph()
    height, width = smiling.shape[:2]
    image = _close_mouth(_soften_smile_folds(smiling))
    points = portrait_points(_closed_landmarks())
    shapes = {
        name: fill_polygon(portrait_points(shape), height, width, 5.0)
        for name, shape in (("hair", portrait_outlines.HAIR_OUTLINE), ("suit", portrait_outlines.SUIT_OUTLINE))
    }
    eyes = np.sum([fill_polygon(points[a:b], height, width, 2.0) for a, b in EYE_LANDMARKS], axis=0)
    lips = fill_polygon(points[48:60], height, width, 3.0)
    skin = (
        fill_polygon(portrait_points(portrait_outlines.FACE_OUTLINE), height, width, 4.0)
        * (1 - shapes["hair"])
        * _skin_likelihood(image)
    )
    return Portrait(
        image,
        points,
        portrait_points(portrait_outlines.HAIR_OUTLINE),
        shapes["hair"],
        skin,
        shapes["suit"],
        eyes.astype(np.float32),
        lips,
    )


def _enlarge_photograph() -> Floats:
    left, top, right, bottom = PHOTOGRAPH_BOX
    photograph = np.asarray(skimage.data.astronaut(), np.float32)[top:bottom, left:right]  # type: ignore[no-untyped-call]
    large: Floats = np.asarray(
        cv2.resize(photograph, None, fx=PORTRAIT_SCALE, fy=PORTRAIT_SCALE, interpolation=cv2.INTER_CUBIC), float
    )
    return np.clip(large + 0.45 * (large - gaussian_blur(large, 3.0)), 0, 255).astype(np.float32)


def _skin_likelihood(image: Floats) -> Floats:
    """1 where red clearly exceeds blue, as in skin; 0 on the black collar and the grey background."""
    soft = gaussian_blur(image, 4.0)
    reddish = smooth_step((soft[..., 0] - soft[..., 2] - 8) / 24)
    return np.asarray(reddish * smooth_step((soft[..., 0] - 40) / 40))


def _soften_smile_folds(image: Floats) -> Floats:
    """Blur the folds of the smile between the nose and the mouth's corners, as in a resting face."""
    height, width = image.shape[:2]
    for fold in portrait_outlines.SMILE_FOLDS:
        mask = 0.75 * fill_polygon(portrait_points(fold), height, width, 8.0)[..., None]
        image = image * (1 - mask) + gaussian_blur(image, 22.0) * mask
    return image


def _close_mouth(image: Floats) -> Floats:
    """Pull the upper and the lower lip, each by its own spline, to the line where closed lips meet."""
    height, width = image.shape[:2]
    upper = _pull_lip(
        image,
        np.vstack([portrait_outlines.CLOSED_OUTER_UPPER, portrait_outlines.CLOSED_LINE]),
        np.vstack([portrait_outlines.SMILE_OUTER_UPPER, portrait_outlines.SMILE_INNER_UPPER]),
    )
    lower = _pull_lip(
        image,
        np.vstack([portrait_outlines.CLOSED_OUTER_LOWER, portrait_outlines.CLOSED_LINE]),
        np.vstack([portrait_outlines.SMILE_OUTER_LOWER, portrait_outlines.SMILE_INNER_LOWER]),
    )
    line = portrait_points(portrait_outlines.CLOSED_LINE)
    x, y = pixel_grid(height, width)
    below = smooth_step((y - _smooth_curve(line, x[0])) / 2.4 + 0.5)[..., None]
    return _draw_lip_line(upper * (1 - below) + lower * below, line)


def _pull_lip(image: Floats, closed: Floats, smile: Floats) -> Floats:
    """The image with the contour `smile` [N, 2] moved to `closed` [N, 2] and the chin lifted; the rest stays."""
    height, width = image.shape[:2]
    jaw = portrait_outlines.PHOTOGRAPH_LANDMARKS[JAW_LANDMARKS]
    still = np.vstack(
        [np.delete(portrait_outlines.PHOTOGRAPH_LANDMARKS, JAW_LANDMARKS, axis=0), portrait_outlines.HAIR_OUTLINE]
    )
    targets = portrait_points(np.vstack([closed, still, _lift_chin(jaw)]))
    sources = portrait_points(np.vstack([smile, still, jaw]))
    shift = thin_plate_spline(targets, sources - targets, height, width)
    return sample_image(image, np.stack(pixel_grid(height, width), -1) + shift)


def _draw_lip_line(image: Floats, line: Floats) -> Floats:
    """The shadow between closed lips: a thin dark line, thinner and fainter towards the corners."""
    x, y = pixel_grid(*image.shape[:2])
    along = np.clip((x[0] - line[0, 0]) / (line[-1, 0] - line[0, 0]), 0, 1)
    taper = smooth_step(along * 6) * smooth_step((1 - along) * 6)
    away = (y - _smooth_curve(line, x[0])) / (1.2 + 0.9 * taper)
    shadow = (0.9 * np.exp(-(away**2)) * (0.25 + 0.75 * taper) * (taper > 0)).astype(np.float32)[..., None]
    return np.asarray(np.clip(image * (1 - shadow) + np.array([52, 22, 20], np.float32) * shadow, 0, 255))


def _smooth_curve(line: Floats, x: Floats) -> Floats:
    """A smooth curve near the points `line` [N, 2], at `x` [W]; level beyond its ends."""
    fitted = np.polynomial.Polynomial.fit(line[:, 0], line[:, 1], 5)
    return np.asarray(fitted(np.clip(x, line[0, 0], line[-1, 0])), np.float32)


def _lift_chin(points: Floats) -> Floats:
    return np.asarray(points - np.array([0, JAW_DROP_PX]))


def _closed_landmarks() -> Floats:
    """[68, 2] photograph px: the 48 points above the mouth with the chin lifted, and 20 points of the closed mouth."""
    face = portrait_outlines.PHOTOGRAPH_LANDMARKS.copy()
    face[JAW_LANDMARKS] = _lift_chin(face[JAW_LANDMARKS])
    upper, line, lower = (
        portrait_outlines.CLOSED_OUTER_UPPER,
        portrait_outlines.CLOSED_LINE,
        portrait_outlines.CLOSED_OUTER_LOWER,
    )
    return np.vstack([face, upper[[0, 2, 3, 4, 5, 6, 8]], lower[[5, 4, 3, 2, 1]], line[[0, 3, 4, 5, 8, 5, 4, 3]]])
