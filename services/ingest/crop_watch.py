"""A watch over the frames of a clip in one crop: the face stays in it, and the recording has no cut.

Faces are searched in a few frames only. Between them the picture itself tells: each frame is like the frame before it,
and like the one that set the crop.
"""

from services.ingest.face_tracks import search_nearby
from services.ingest.picture_likeness import (
    SAME_PICTURE,
    SAME_SCENE,
    measure_likeness,
    measure_shifted_likeness,
    shrink_picture,
)
from shared.errors import BadData
from shared.faces import Detector, FaceBox, detect_faces
from shared.images.decoding import Frame


class CropWatch:
    """Takes the frames in their order, from the one that set the crop."""

    def __init__(self, box: FaceBox, name: str, view: Frame, detect: Detector = detect_faces) -> None:
        """`box` is the face, px, in the frame `name` that set the crop; `view` is that frame's crop [h,w,3]."""
        self.box = box
        self.detect = detect
        self.first = self.previous = name, shrink_picture(view)

    def check_frame(self, name: str, frame: Frame, view: Frame) -> None:
        """Check the next frame [H,W,3] and its crop `view` [h,w,3]. Raises BadData for a cut and for a lost face."""
        look = shrink_picture(view)
        before = self.previous[1]
        if measure_likeness(look, before) < SAME_SCENE > measure_shifted_likeness(before, look):
            raise BadData(
                f"{name}: expected the face to go on from {self.previous[0]}, got another picture in its place, as "
                "after a cut or when something covers the face; correct onset and offset."
            )
        if measure_likeness(look, self.first[1]) < SAME_PICTURE and not search_nearby(frame, self.box, self.detect):
            raise BadData(
                f"{name}: expected the face of {self.first[0]} in its crop until the offset, got none there; correct "
                "onset and offset, or give frames that are registered to the face."
            )
        self.previous = name, look
