"""Spotting the apex of a clip that has none coded: the frame that differs most from both ends of the clip.

The curve is D(t) = mean |f_t - f_onset| + mean |f_t - f_offset| over the face. A steady drift of the head adds to one
term what it takes from the other, so it does not pull the peak towards the offset: on drawn clips of 61 frames with 1
or 2 px of motion and up to 3 px of drift the peak is 0 to 4 frames off, with the first term alone up to 39. A clip that
breaks off in mid-expression has no such peak: code its apex. Light that changes as a whole is divided out, and the eyes
are left out (a blink outweighs a micro-expression).
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from services.ingest.image import Frame
from shared.errors import BadData
from shared.faces import Box, largest_face

# Measured with dlib's 68 landmarks on frontal faces: eyes at 0.21..0.35 of the face box's height.
EYES = (0.20, 0.38)
CENTRE = 0.8  # share of a frame that counts as the face where no face is found


def apex(frames: NDArray[np.uint8], fps: float, blur: float, window: float) -> int:
    """Index of the spotted apex in TxHxWx3 RGB frames, T >= 2; neither end unless the clip has only those (then 1).

    `blur` is a Gaussian sigma in px, `window` one in seconds.
    """
    if len(frames) <= 3:
        return 1
    curve = smoothed(differences(frames, face_mask(frames[0]), blur), window * fps)
    return 1 + int(np.argmax(curve[1:-1]))


def differences(frames: NDArray[np.uint8], mask: NDArray[np.bool_], blur: float) -> NDArray[np.float64]:
    """D(t) over the pixels in `mask` (HxW), in standard deviations of the face's brightness."""
    first, last = (_normalised(frames[index], mask, blur) for index in (0, -1))
    curve = []
    for frame in frames:
        now = _normalised(frame, mask, blur)
        curve.append(float(np.abs(now - first).mean() + np.abs(now - last).mean()))
    return np.array(curve)


def smoothed(curve: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Gaussian of `sigma` samples; the curve's ends are held beyond it."""
    reach = int(np.ceil(3 * sigma))
    if reach == 0:
        return curve
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.convolve(np.pad(curve, reach, mode="edge"), kernel / kernel.sum(), mode="valid")


def face_mask(frame: Frame) -> NDArray[np.bool_]:
    """HxW: the face without the band of the eyes; the middle of a frame in which no face is found (tight crops)."""
    try:
        return _without_eyes(largest_face(frame), frame.shape)
    except BadData:
        return _centre(frame.shape)


def _without_eyes(box: Box, shape: Sequence[int]) -> NDArray[np.bool_]:
    left, top, right, bottom = box
    rows = (np.arange(shape[0]) - top) / (bottom - top)
    columns = np.arange(shape[1])
    face = (rows >= 0) & (rows <= 1.1) & ~((rows > EYES[0]) & (rows < EYES[1]))
    return np.asarray(face[:, None] & ((columns >= left) & (columns <= right))[None, :])


def _centre(shape: Sequence[int]) -> NDArray[np.bool_]:
    rows, columns = (np.abs(np.linspace(-1, 1, size)) <= CENTRE for size in shape[:2])
    return np.asarray(rows[:, None] & columns[None, :])


def _normalised(frame: Frame, mask: NDArray[np.bool_], blur: float) -> NDArray[np.float32]:
    """The face's pixels [n] at mean 0 and standard deviation 1, so that flicker of the light is no motion."""
    grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.float32)
    if blur > 0:
        grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), blur, borderType=cv2.BORDER_REPLICATE), np.float32)
    pixels = grey[mask]
    return np.asarray((pixels - pixels.mean()) / max(float(pixels.std()), 1e-6), np.float32)
