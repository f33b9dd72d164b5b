"""How well a face can be seen: its size, sharpness, turn and light, and what a codec left of fine motion."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from services.spotter.face_geometry import bound_points, measure_eye_distance, measure_turn

SIDE = 160  # px of the small grey picture in which sharpness is measured
BLUR = 9  # px, of the blur that a blurred picture hardly notices (Crété et al. 2007)
COARSE_EYES = 40.0  # px between the eyes, below which micro-expressions are coarse
SMALLEST_EYES = 24.0  # px between the eyes. Smaller faces are only noted
TURNED, DARK, BRIGHT = 25.0, 50.0, 225.0  # degrees; mean grey levels
BLURRED = 0.25  # sharpness
FROZEN = 0.75  # share of a face's pixels that a codec repeats from frame to frame


class FaceSample(NamedTuple):
    """One look at a face. eye_distance: px; turn: degrees; light: mean grey level; sharpness: 0 to 1.

    frozen: share of the pixels that are the same as in the frame before, NaN if that is not known.
    """

    eye_distance: float
    turn: float
    light: float
    sharpness: float
    frozen: float


def sample_face(pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None, points: NDArray[np.float64]) -> FaceSample:
    """Look at a face with points [478, 3] in a frame [H, W, 3], with the frame before it, uint8 RGB."""
    rows, columns = pixels.shape[:2]
    left, top, right, bottom = bound_points(points).round().astype(int).tolist()
    left, top = min(max(left, 0), columns - 2), min(max(top, 0), rows - 2)
    part = np.s_[top : max(bottom, top + 2), left : max(right, left + 2)]
    face = pixels[part]
    frozen = np.nan
    if before is not None and before.shape == pixels.shape:
        frozen = float((face == before[part]).all(axis=2).mean())
    grey = cv2.cvtColor(np.ascontiguousarray(face), cv2.COLOR_RGB2GRAY)
    small = np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    return FaceSample(
        measure_eye_distance(points), measure_turn(points), float(grey.mean()), measure_sharpness(small), frozen
    )


def measure_sharpness(grey: NDArray[np.uint8]) -> float:
    """Sharpness of a grey picture [H, W], 0 to 1: how much of its variation a blur removes (Crété et al. 2007).

    One minus their measure of blur, in the worse of the two directions. A flat picture has 0.
    """
    picture = grey.astype(np.float32)
    kept = []
    for axis, kernel in ((0, (1, BLUR)), (1, (BLUR, 1))):
        blurred = cv2.blur(picture, kernel)
        own = np.abs(np.diff(picture, axis=axis))
        removed = np.maximum(own - np.abs(np.diff(blurred, axis=axis)), 0)
        total = float(own.sum())
        kept.append(1 - float(removed.sum()) / total if total else 1.0)
    return 1 - max(kept)


class FaceQuality(NamedTuple):
    """Medians over a recording; fields as in `FaceSample`, `turn` without its sign."""

    eye_distance: float
    turn: float
    light: float
    sharpness: float
    frozen: float


def summarise_samples(samples: list[FaceSample]) -> FaceQuality:
    """The medians of at least one sample."""
    columns = np.abs(np.array(samples, np.float64))
    known = columns[~np.isnan(columns[:, -1]), -1]
    frozen = float(np.median(known)) if len(known) else 0.0
    eye_distance, turn, light, sharpness = np.median(columns[:, :-1], axis=0).tolist()
    return FaceQuality(eye_distance, turn, light, sharpness, frozen)


def describe_limits(quality: FaceQuality) -> tuple[str, ...]:
    """Sentences about what limits a prediction for a face."""
    found = []
    eyes = f"{quality.eye_distance:.0f} px between the eyes"
    if quality.eye_distance < SMALLEST_EYES:
        found.append(f"the face is too small: {eyes}, at least {SMALLEST_EYES:.0f} are needed; nothing was spotted")
    elif quality.eye_distance < COARSE_EYES:
        found.append(f"the face is small: {eyes}; below {COARSE_EYES:.0f} micro-expressions are coarse")
    if quality.turn > TURNED:
        found.append(f"the head is turned by {quality.turn:.0f} degrees; above {TURNED:.0f} one half is hardly seen")
    if quality.light < DARK:
        found.append(f"the face is dark: mean grey level {quality.light:.0f} of 255")
    if quality.light > BRIGHT:
        found.append(f"the face is overexposed: mean grey level {quality.light:.0f} of 255")
    if quality.sharpness < BLURRED:
        found.append(f"the face is blurred: sharpness {quality.sharpness:.2f} of 1")
    if quality.frozen > FROZEN:
        found.append(
            f"{100 * quality.frozen:.0f} % of the face's pixels are repeated from frame to frame: the codec removes "
            "fine motion"
        )
    return tuple(found)
