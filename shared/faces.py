"""Face detection: dlib's frontal HOG detector (King 2009), extended to tight face crops.

The detector needs a margin around a face and a face of at least about 80 px. If the plain search finds nothing, the
frame is searched again with a replicated border, then at twice the size. A box is never invented.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData

DetectorName = Literal["hog", "mmod", "mediapipe"]  # `shared.face_detectors`
FaceBox = tuple[int, int, int, int]  # left, top, right, bottom, px, both ends inside. It may exceed the frame

BORDER_SHARE = 0.25  # replicated border of the second search, share of the frame's longer side
CONFIDENT_SHARE = 0.25  # a detection below this share of the best score is clutter (the astronaut's badge has 0.10)
LONGEST_SIDE = 16_384  # px of a frame. dlib's HOG writes beyond its memory where enlarged frames are 120,000 px wide
LARGEST_SEARCH_PIXELS = 8_000_000  # px of the largest enlarged image that is searched. A larger one needs much memory


class FaceDetection(NamedTuple):
    """One detection: its box and the detector's confidence. 0 is just accepted, sharp frontal faces have 1 to 3."""

    box: FaceBox
    score: float


class Detector(Protocol):
    """Pixels [H,W,3], doublings before the search, least score -> detections. `shared.face_detectors` has them all."""

    def __call__(
        self, pixels: NDArray[np.uint8], upsample: int = 1, threshold: float = 0.0, /
    ) -> list[FaceDetection]: ...


def largest_face(frame: NDArray[np.uint8], upsample: int = 1, detect: Detector | None = None) -> FaceBox:
    """Box (left, top, right, bottom) in px of the largest face in a frame [H,W,3], uint8 RGB.

    Both ends are inside the box. A box may exceed the frame: cut it with `clip_box` before slicing. `upsample` is the
    number of doublings before the search: 0 finds faces from 80 px, 1 from 40 px. `detect` is `detect_faces` by
    default. Raises BadData if the frame is no uint8 RGB image or shows no face.
    """
    return max(search_faces(frame, upsample, detect), key=_size_and_score).box


def search_faces(frame: NDArray[np.uint8], upsample: int = 1, detect: Detector | None = None) -> list[FaceDetection]:
    """The faces in a frame [H,W,3], uint8 RGB, at least one, without weak detections. Arguments as `largest_face`.

    Raises BadData if the frame is no uint8 RGB image or shows no face.
    """
    check_frame(frame)
    for border, enlarged in ((0.0, upsample), (BORDER_SHARE, upsample), (BORDER_SHARE, upsample + 1)):
        if enlarged > upsample and frame.shape[0] * frame.shape[1] * 4**enlarged > LARGEST_SEARCH_PIXELS:
            break
        if found := _detect_with_border(frame, border, enlarged, detect or detect_faces):
            return drop_weak_detections(found)
    height, width = frame.shape[:2]
    raise BadData(
        f"expected one face looking at the camera, got none in a {height}x{width} frame; check that the frame shows an "
        f"upright face, crop it to that face or, if the face is tiny, raise the setting `upsample` (now {upsample})"
    )


def detect_faces(pixels: NDArray[np.uint8], upsample: int = 1, threshold: float = 0.0) -> list[FaceDetection]:
    """All detections in uint8 pixels [H,W,3] RGB or [H,W] grey with a score above `threshold`, the best first.

    Boxes are in px. `upsample` is the number of doublings before the search.
    """
    boxes, scores, _ = _load_detector().run(np.ascontiguousarray(pixels), upsample, threshold)
    return [
        FaceDetection((box.left(), box.top(), box.right(), box.bottom()), float(score))
        for box, score in zip(boxes, scores, strict=True)
    ]


def drop_weak_detections(detections: list[FaceDetection]) -> list[FaceDetection]:
    """The detections without those far below the best score: these are patterns on clothes, not second faces."""
    best = max(detection.score for detection in detections)
    return [detection for detection in detections if detection.score >= CONFIDENT_SHARE * best]


def clip_box(box: FaceBox, height: int, width: int) -> FaceBox:
    """The part of a box inside a frame of this height and width, px."""
    left, top, right, bottom = box
    return max(left, 0), max(top, 0), min(right, width - 1), min(bottom, height - 1)


def overlap_boxes(box: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    shared = _box_area((max(box[0], other[0]), max(box[1], other[1]), min(box[2], other[2]), min(box[3], other[3])))
    return shared / (_box_area(box) + _box_area(other) - shared)


def describe_box(box: FaceBox) -> str:
    """The box in words for messages."""
    left, top, right, bottom = box
    return f"x {left} to {right}, y {top} to {bottom}"


def check_frame(frame: NDArray[np.uint8]) -> None:
    """Raise BadData unless the frame is a uint8 RGB image [H,W,3] of sides that detectors can take."""
    if frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        raise BadData(
            f"expected an RGB frame of shape HxWx3, got shape {'x'.join(map(str, frame.shape))}; "
            "repeat the plane of a grey frame three times"
        )
    if frame.dtype != np.uint8:
        raise BadData(f"expected an RGB frame of uint8 0..255, got {frame.dtype}; scale the values to 0..255 first")
    if (longest := max(frame.shape)) > LONGEST_SIDE:
        raise BadData(
            f"expected a frame of at most {LONGEST_SIDE} px a side, got one of {longest} px; crop them to the face"
        )


def _detect_with_border(
    frame: NDArray[np.uint8], border: float, upsample: int, detect: Detector
) -> list[FaceDetection]:
    pad = round(border * max(frame.shape[:2]))
    found = detect(np.pad(frame, ((pad, pad), (pad, pad), (0, 0)), mode="edge"), upsample)
    return [FaceDetection(_shift_box(box, -pad), score) for box, score in found]


def _shift_box(box: FaceBox, by: int) -> FaceBox:
    left, top, right, bottom = box
    return left + by, top + by, right + by, bottom + by


def _box_area(box: Sequence[float]) -> float:
    left, top, right, bottom = box
    return max(right - left, 0) * max(bottom - top, 0)


def _size_and_score(detection: FaceDetection) -> tuple[float, float]:
    return _box_area(detection.box), detection.score


@cache
def _load_detector() -> Any:
    import dlib  # type: ignore[import-untyped]  # here, since not every container with this module has dlib

    return dlib.get_frontal_face_detector()
