"""The choice among several faces: the person that a clip is about.

A portrait on the wall is as sharp as the participant and may be larger, but it is still. So motion decides first and
size second. Where neither is clear the clip is refused, since a wrong person is worse than none.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from services.ingest.apex_spotting import face_mask
from services.ingest.catalogue.named_face import Point
from services.ingest.crop import crop_around_face, cut_crop
from services.ingest.face_tracks import CONFIDENT, FaceTrack
from services.ingest.facial_motion import measure_skin_motion
from shared.errors import BadData
from shared.faces import Detector, describe_box, detect_faces
from shared.images.decoding import Frame

STILL = 0.12  # px: a face that moves less is still
ABOVE_NOISE = 1.8  # a living face moves so much more over the clip than from one frame to the next, a portrait 1.5
BEYOND_DOUBT = 0.5  # px: compression of a video does not move a still face by so much
MORE = 1.5  # ratio of the motion of a living face to that of a still one
MUCH_MORE = 3.0  # ratio of the motions of two faces of which compression may move one
CLEARLY_LARGER = 1.25  # ratio of the widths of two faces that both move
FAR_LARGER = 2.0  # ratio of the widths from which on the smaller face is in the background
WAY_OUT = (
    "name the face in the column `face` of clips.csv (left, right, largest or a point in it such as 480 200), or crop "
    "the frames to the participant"
)
Choice = tuple[FaceTrack, str]  # the chosen face, and why the others were left out


class SkinMotion(NamedTuple):
    """How far the skin of a face moves over the clip, and from its first frame to the next, px."""

    most: float
    noise: float

    @property
    def alive(self) -> bool:
        return self.most > max(STILL, ABOVE_NOISE * self.noise)


def choose_lasting_face(tracks: Sequence[FaceTrack], measure: Callable[[FaceTrack], SkinMotion]) -> Choice:
    """The person among the faces of a frame, and the reason why the others were left out.

    `measure` is asked only if several faces last. Raises BadData if no face lasts until the offset, or if it is not
    clear which one is meant.
    """
    lasting = [track for track in tracks if not track.missing]
    if len(lasting) < 2:
        return require_lasting_face(lasting[0] if lasting else tracks[0]), "it is not there until the offset"
    motions = [(measure(track), track) for track in lasting]
    (most, mover), (second, _), *_ = sorted(motions, key=lambda each: (-each[0].most, each[0].noise))
    largest, next_largest, *_ = sorted(lasting, key=lambda track: -track.width)
    moves_more = most.most >= (MUCH_MORE if second.alive else MORE) * second.most
    if most.alive and moves_more and mover.width * FAR_LARGER > largest.width:
        return mover, "it does not move" if not second.alive else "it moves less"
    living = min(motion.most for motion, _ in motions) >= BEYOND_DOUBT
    if largest.width >= (CLEARLY_LARGER if living else FAR_LARGER) * next_largest.width:
        return largest, "it is smaller"
    moved = " and ".join(f"{motion.most:.2f} px" for motion, _ in motions)
    raise BadData(describe_doubt(lasting, f"They move by {moved}, so it is not clear which one is meant"))


def choose_named_face(tracks: Sequence[FaceTrack], named: str | Point) -> Choice:
    """The face that a person named: `left`, `right`, `largest`, or a point in it (x, y in px of the frame)."""
    if isinstance(named, str):
        side = {"left": -1, "right": 1, "largest": 0}[named]
        chosen = max(tracks, key=lambda track: (side * track.centre[0], track.width))
    else:
        holding = [track for track in tracks if _contains(track, named)]
        if not holding:
            raise BadData(
                f"{tracks[0].name}: expected a face at {named[0]:g} {named[1]:g} as the column `face` says, got "
                f"{_list_boxes(tracks)}; correct the cell."
            )
        chosen = min(holding, key=lambda track: track.width)
    return require_lasting_face(chosen), "the column `face` names another one"


def require_lasting_face(track: FaceTrack) -> FaceTrack:
    """The track. Raises BadData that names the frames where its face is missing."""
    if track.missing:
        raise BadData(
            f"{track.name}: expected its face (at {describe_box(track.box)} px) in the same place until the offset, "
            f"got none there in {', '.join(track.missing.values())}; correct onset and offset, or cut the clip where "
            "the face leaves."
        )
    return track


def drop_clutter(tracks: Sequence[FaceTrack]) -> list[FaceTrack]:
    """The confident faces. Where there is none, the largest alone."""
    confident = [track for track in tracks if track.score >= CONFIDENT]
    return confident or [max(tracks, key=lambda track: track.width)]


def measure_face_motion(track: FaceTrack, frames: Sequence[Frame], detect: Detector = detect_faces) -> SkinMotion:
    """The motion of the skin in the box of a face, from the first of the frames [H,W,3], uint8 RGB, to the others.

    The second frame is the one after the first and tells the noise. Motion of the whole box (a camera that shakes) does
    not count.
    """
    crop = crop_around_face(track.box, 5, 4, 0.0)
    views = [cut_crop(frame, crop, crop.height, crop.width) for frame in frames]
    _, noise, *rest = measure_skin_motion(views, 0, face_mask(views[0], detect), blur=1.0)
    return SkinMotion(max(rest, default=0.0), noise)


def describe_doubt(tracks: Sequence[FaceTrack], doubt: str) -> str:
    """The sentence that refuses a clip with several faces."""
    return f"{tracks[0].name}: expected one face, got {len(tracks)}, {_list_boxes(tracks)}. {doubt}; {WAY_OUT}."


def _contains(track: FaceTrack, point: Point) -> bool:
    left, top, right, bottom = track.box
    return left <= point[0] <= right and top <= point[1] <= bottom


def _list_boxes(tracks: Sequence[FaceTrack]) -> str:
    return " and ".join(f"at {describe_box(track.box)} px" for track in tracks)
