"""Write prediction.html: one file that needs no network, and no other file but a long video."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from merstream.pictures import Picture
from merstream.prediction.model import Prediction
from merstream.prediction.page.artifacts import EventArtifacts
from shared.spotting.face_motion import FaceMotion

PAGE_FILE = "prediction.html"


def write_page(
    folder: Path,
    prediction: Prediction,
    motions: Mapping[int, Sequence[FaceMotion]],
    artifacts: Mapping[int, EventArtifacts],
    video: Path | None = None,
    *,
    strip: Sequence[tuple[float, Picture]] = (),
    faces: bool = True,
) -> Path:
    """Write prediction.html into the folder and return the file.

    motions: by face id, one per segment. artifacts: by event id; an event without them has no pictures. Each is asked
    for once and not kept, so the mapping may read them from a store when asked. video: what the page plays. The
    overlay's file is best, since every browser plays it. A small file is embedded, a larger one linked. strip: frames
    (seconds, uint8 [H, W, 3]) above the time line. faces: False leaves out every picture of a face, and the video.
    """
    raise NotImplementedError
