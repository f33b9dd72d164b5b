"""Spotting of an apex that is not coded: the frame in which the face has moved most from both ends of the clip.

The curve is D(t) = motion from the onset to t + motion from the offset to t, without the motion of the head. Residual
head motion adds to one term what it removes from the other, so the sum is robust to it. The eyes are left out, since a
blink is larger than a micro-expression. docs/explanation/stages/ingest.md states the accuracy. The hard case is a clip
that does not return to rest: code its apex.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.ingest.facial_motion import measure_skin_motion
from shared.errors import BadData
from shared.faces import Detector, FaceBox, detect_faces, largest_face
from shared.images.decoding import Frame

# Measured with dlib's 68 landmarks on frontal faces: eyes at 0.21..0.35 of the face box's height.
EYES = (0.20, 0.38)
CENTRE = 0.8  # share of a frame that counts as the face if no face is found


def spot_apex(
    frames: NDArray[np.uint8],
    fps: float,
    blur: float,
    window: float,
    times: NDArray[np.float64] | None = None,
    detect: Detector = detect_faces,
) -> int:
    """Index of the spotted apex in frames [T,H,W,3], uint8 RGB, T >= 2. It is never an end, except 1 for T = 2.

    `blur` is a Gaussian sigma in px, `window` one in seconds. `times` [T] are the seconds of the frames, if they were
    not recorded evenly.
    """
    if len(frames) <= 3:
        return 1
    mask = face_mask(frames[0], detect)
    motion = measure_skin_motion(frames, 0, mask, blur) + measure_skin_motion(frames, -1, mask, blur)
    curve = smooth_curve(motion, window * fps) if times is None else smooth_uneven_curve(motion, times, fps, window)
    return 1 + int(np.argmax(curve[1:-1]))


def smooth_uneven_curve(
    curve: NDArray[np.float64], times: NDArray[np.float64], fps: float, sigma: float
) -> NDArray[np.float64]:
    """A curve [T], float64, at `times` [T] in s, smoothed by a Gaussian of `sigma` s as an even one of `fps` Hz is."""
    even = times[0] + np.arange(int((times[-1] - times[0]) * fps) + 2) / fps
    return np.interp(times, even, smooth_curve(np.interp(even, times, curve), sigma * fps))


def smooth_curve(curve: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """A curve [T], float64, smoothed by a Gaussian of `sigma` samples. Its end values continue beyond its ends."""
    reach = int(np.ceil(3 * sigma))
    if reach == 0:
        return curve
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.convolve(np.pad(curve, reach, mode="edge"), kernel / kernel.sum(), mode="valid")


def face_mask(frame: Frame, detect: Detector = detect_faces) -> NDArray[np.bool_]:
    """Mask [H,W] of the face without the band of the eyes, for a frame [H,W,3], uint8 RGB.

    In a frame without a detected face (a tight crop) it is the middle.
    """
    try:
        return _mask_without_eyes(largest_face(frame, 1, detect), frame.shape)
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
