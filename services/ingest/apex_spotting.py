"""Spotting the apex of a clip that has none coded: the frame in which the face has moved most from both ends.

The curve is D(t) = motion from the onset to t + motion from the offset to t, the head's motion taken out. Both ends,
because what little of the head's motion is left adds to one term what it takes from the other. The eyes are left out (a
blink outweighs a micro-expression). docs/explanation/stages/ingest.md says how near it comes. A clip without return
to rest is the hard case: code its apex.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.ingest.facial_motion import measure_skin_motion
from services.ingest.image import Frame
from shared.errors import BadData
from shared.faces import FaceBox, largest_face

# Measured with dlib's 68 landmarks on frontal faces: eyes at 0.21..0.35 of the face box's height.
EYES = (0.20, 0.38)
CENTRE = 0.8  # share of a frame that counts as the face where no face is found


def spot_apex(frames: NDArray[np.uint8], fps: float, blur: float, window: float) -> int:
    """Index of the spotted apex in TxHxWx3 RGB frames, T >= 2; neither end unless the clip has only those (then 1).

    `blur` is a Gaussian sigma in px, `window` one in seconds.
    """
    if len(frames) <= 3:
        return 1
    mask = face_mask(frames[0])
    curve = smooth_curve(
        measure_skin_motion(frames, 0, mask, blur) + measure_skin_motion(frames, -1, mask, blur), window * fps
    )
    return 1 + int(np.argmax(curve[1:-1]))


def smooth_curve(curve: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Gaussian of `sigma` samples; the curve's ends are held beyond it."""
    reach = int(np.ceil(3 * sigma))
    if reach == 0:
        return curve
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.convolve(np.pad(curve, reach, mode="edge"), kernel / kernel.sum(), mode="valid")


def face_mask(frame: Frame) -> NDArray[np.bool_]:
    """HxW: the face without the band of the eyes; the middle of a frame in which no face is found (tight crops)."""
    try:
        return _mask_without_eyes(largest_face(frame), frame.shape)
    except BadData:
        return _centre_mask(frame.shape)


def _mask_without_eyes(box: FaceBox, shape: Sequence[int]) -> NDArray[np.bool_]:
    left, top, right, bottom = box
    rows = (np.arange(shape[0]) - top) / (bottom - top)
    columns = np.arange(shape[1])
    face = (rows >= 0) & (rows <= 1.1) & ~((rows > EYES[0]) & (rows < EYES[1]))
    return np.asarray(face[:, None] & ((columns >= left) & (columns <= right))[None, :])


def _centre_mask(shape: Sequence[int]) -> NDArray[np.bool_]:
    rows, columns = (np.abs(np.linspace(-1, 1, size)) <= CENTRE for size in shape[:2])
    return np.asarray(rows[:, None] & columns[None, :])
