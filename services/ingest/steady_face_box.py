"""A face box that is steadier than that of one search of the detector.

dlib's pyramid shrinks by 5/6 per level. So the size of a face's box jumps by up to 20 % with the face's scale. The
scale of every flow follows it. Here the face is searched again at sizes spread over one pyramid step, and
the boxes are averaged. Standard deviations with six searches, in place of those with one: over nine scales of the
astronaut 0.9 px (4.6) of 93 px width and 0.6 px (2.4) of the centre. Over a real recording with a smile 1.9 px (15) of
170 px width.
"""

import numpy as np
from numpy.typing import NDArray

from services.ingest.crop import Crop, cut_crop
from shared.errors import BadData
from shared.faces import Detector, FaceBox, detect_faces, largest_face, overlap_boxes
from shared.images.decoding import Frame

STEP = 1.2  # ratio of two levels of dlib's pyramid
SIDE = 120.0  # px of the face box in the smallest of the further searches (the detector's window is 80)
ROOM = 0.6  # share of the box's width searched around it
SAME = 0.5  # minimum intersection over union of two boxes of one face


def steady_box(frame: Frame, upsample: int, passes: int, detect: Detector = detect_faces) -> FaceBox:
    """Box, px, of the largest face in a frame [H,W,3], uint8 RGB, averaged over `passes` further searches around it.

    Both ends are inside. With 0 passes it is the first box. Raises BadData if no face is found.
    """
    return average_box(frame, largest_face(frame, upsample, detect), passes, detect)


def average_box(frame: Frame, first: FaceBox, passes: int, detect: Detector = detect_faces) -> FaceBox:
    """The box `first` of a face in a frame [H,W,3], uint8 RGB, averaged over `passes` further searches around it."""
    boxes = [_search_again(frame, first, STEP ** (index / passes), detect) for index in range(passes)]
    same = [box for box in boxes if box is not None and overlap_boxes(box.tolist(), first) >= SAME]
    if not same:
        return first
    left, top, right, bottom = (round(float(side)) for side in np.mean(same, axis=0))
    return left, top, right, bottom


def _search_again(frame: Frame, box: FaceBox, enlarged: float, detect: Detector) -> NDArray[np.float64] | None:
    left, top, right, bottom = box
    width = right - left + 1
    room = round(ROOM * width)
    window = Crop(left - room, top - room, width + 2 * room, bottom - top + 1 + 2 * room)
    scale = SIDE / width * enlarged
    size = round(window.height * scale), round(window.width * scale)
    try:
        found = largest_face(cut_crop(frame, window, *size), 0, detect)
    except BadData:
        return None
    moved = np.array(found) / scale + np.array([window.left, window.top] * 2)
    return np.asarray(moved, np.float64)
