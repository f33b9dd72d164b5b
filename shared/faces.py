"""Where the face is: dlib's frontal HOG detector (King 2009), made to work on tight face crops too.

The detector wants some image around a face and at least about 80 px of it. Where the plain pass finds nothing, the
frame is tried again with its border replicated outwards and then at twice the size. A box is never made up.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData

FaceBox = tuple[int, int, int, int]  # left, top, right, bottom; px, both ends inside; may reach beyond the frame

BORDER_SHARE = 0.25  # replicated border of a second try, share of the frame's longer side
CONFIDENT_SHARE = 0.25  # share of the best score below which a detection is clutter (astronaut's badge: 0.10)
LARGEST_SEARCH_PIXELS = (
    8_000_000  # px of the enlarged image that is still searched; beyond it memory, not faces, is found
)


class FaceDetection(NamedTuple):
    """One detection: its box and the detector's confidence (0 = just accepted, sharp frontal faces 1 to 3)."""

    box: FaceBox
    score: float


def largest_face(frame: NDArray[np.uint8], upsample: int = 1) -> FaceBox:
    """Box (left, top, right, bottom) in px of the largest face in an RGB frame, uint8 HxWx3.

    Both ends lie inside the box, and a box may reach beyond the frame (cut it with `inside` before slicing).
    `upsample` doubles the frame so many times before the search: 0 finds faces from 80 px, 1 from 40 px.
    Raises BadData when the frame is no uint8 RGB image or shows no face.
    """
    check_frame(frame)
    for border, enlarged in ((0.0, upsample), (BORDER_SHARE, upsample), (BORDER_SHARE, upsample + 1)):
        if enlarged > upsample and frame.shape[0] * frame.shape[1] * 4**enlarged > LARGEST_SEARCH_PIXELS:
            break
        if found := _detect_with_border(frame, border, enlarged):
            return max(drop_weak_detections(found), key=_size_and_score).box
    height, width = frame.shape[:2]
    raise BadData(
        f"expected one face looking at the camera, got none in a {height}x{width} frame; check that the frame shows an "
        f"upright face, crop it to that face or, if the face is tiny, raise the setting `upsample` (now {upsample})"
    )


def detect_faces(pixels: NDArray[np.uint8], upsample: int = 1) -> list[FaceDetection]:
    """All detections in uint8 HxWx3 RGB or HxW grey pixels, in the detector's own order (best score first)."""
    boxes, scores, _ = _load_detector().run(np.ascontiguousarray(pixels), upsample)
    return [
        FaceDetection((box.left(), box.top(), box.right(), box.bottom()), float(score))
        for box, score in zip(boxes, scores, strict=True)
    ]


def drop_weak_detections(detections: list[FaceDetection]) -> list[FaceDetection]:
    """Drops detections that score far below the best one: patterns on clothes, not second faces."""
    best = max(detection.score for detection in detections)
    return [detection for detection in detections if detection.score >= CONFIDENT_SHARE * best]


def clip_box(box: FaceBox, height: int, width: int) -> FaceBox:
    """The part of a box that lies inside a frame of that many px."""
    left, top, right, bottom = box
    return max(left, 0), max(top, 0), min(right, width - 1), min(bottom, height - 1)


def check_frame(frame: NDArray[np.uint8]) -> None:
    """Raises BadData, with what to do, unless the frame is a uint8 RGB image HxWx3."""
    if frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        raise BadData(
            f"expected an RGB frame of shape HxWx3, got shape {'x'.join(map(str, frame.shape))}; "
            "repeat the plane of a grey frame three times"
        )
    if frame.dtype != np.uint8:
        raise BadData(f"expected an RGB frame of uint8 0..255, got {frame.dtype}; scale the values to 0..255 first")


def _detect_with_border(frame: NDArray[np.uint8], border: float, upsample: int) -> list[FaceDetection]:
    pad = round(border * max(frame.shape[:2]))
    found = detect_faces(np.pad(frame, ((pad, pad), (pad, pad), (0, 0)), mode="edge"), upsample)
    return [FaceDetection(_shift_box(box, -pad), score) for box, score in found]


def _shift_box(box: FaceBox, by: int) -> FaceBox:
    left, top, right, bottom = box
    return left + by, top + by, right + by, bottom + by


def _size_and_score(detection: FaceDetection) -> tuple[int, float]:
    left, top, right, bottom = detection.box
    return (right - left) * (bottom - top), detection.score


@cache
def _load_detector() -> Any:
    import dlib  # type: ignore[import-untyped]  # here, because not every container that reads this module carries it

    return dlib.get_frontal_face_detector()
