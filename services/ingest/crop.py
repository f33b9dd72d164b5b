"""One crop for a whole clip: an upright rectangle around the face with the output's aspect, scaled to the output.

Head motion stays in the frames: a crop that follows the face would follow the motion that is to be measured.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from shared.faces import FaceBox
from shared.images.decoding import Frame


@dataclass(frozen=True)
class Crop:
    """A rectangle in px of the frame. It may exceed the frame."""

    left: int
    top: int
    width: int
    height: int


def crop_around_face(box: FaceBox, height: int, width: int, margin: float) -> Crop:
    """The crop centred on a face box (px, both ends inside), wider than the box by the share `margin` on each side.

    Its aspect is height : width to the nearest px, so that pixels stay square.
    """
    left, top, right, bottom = box
    columns = max(round((right - left + 1) * (1 + 2 * margin)), 2)
    rows = max(round(columns * height / width), 2)
    return Crop((left + right + 1 - columns) // 2, (top + bottom + 1 - rows) // 2, columns, rows)


def cut_crop(frame: Frame, crop: Crop, height: int, width: int) -> Frame:
    """The crop of a frame [H,W,3], scaled to [height,width,3] px. Beyond the frame its border is replicated."""
    rows = np.clip(np.arange(crop.top, crop.top + crop.height), 0, frame.shape[0] - 1)
    columns = np.clip(np.arange(crop.left, crop.left + crop.width), 0, frame.shape[1] - 1)
    return _scale_frame(frame[rows[:, None], columns], height, width)


def fit_frame(frame: Frame, height: int, width: int) -> Frame:
    """A whole frame [H,W,3] in [height,width,3] px: scaled by one factor and centred, nothing is cut off.

    The border of the frame is replicated into the two free strips.
    """
    scale = min(height / frame.shape[0], width / frame.shape[1])
    rows = min(max(round(frame.shape[0] * scale), 1), height)
    columns = min(max(round(frame.shape[1] * scale), 1), width)
    top, left = (height - rows) // 2, (width - columns) // 2
    scaled = _scale_frame(frame, rows, columns)
    strips = (top, height - rows - top, left, width - columns - left)
    return np.asarray(cv2.copyMakeBorder(scaled, *strips, cv2.BORDER_REPLICATE), np.uint8)


def _scale_frame(frame: Frame, height: int, width: int) -> Frame:
    shrinks = height < frame.shape[0] or width < frame.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, (width, height), interpolation=method), np.uint8)
