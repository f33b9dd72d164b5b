"""The choice among several faces: the person that a clip is about.

A portrait on the wall is as sharp as the participant and may be larger, but it is still. So motion decides first and
size second. Where neither is clear the clip is refused, since a wrong person is worse than none.
"""

from collections.abc import Callable, Sequence

from services.ingest.apex_spotting import face_mask
from services.ingest.crop import crop_around_face, cut_crop
from services.ingest.face_tracks import CONFIDENT, FaceTrack
from services.ingest.facial_motion import measure_skin_motion
from services.ingest.image import Frame
from services.ingest.named_face import Point
from shared.errors import BadData
from shared.faces import describe_box

STILL = 0.15  # px: a face that moves less is still. Compression moves a still face by up to 0.1 px
ABOVE_NOISE = 1.5  # a living face moves so much more over the clip than from one frame to the next
CLEARLY_LARGER = 1.25  # ratio of the widths of two faces that both move
FAR_SMALLER = 2.0  # ratio of the widths from which on a face is in the background
WAY_OUT = (
    "name the face in the column `face` of clips.csv (left, right, largest or a point in it such as 480 200), or crop "
    "the frames to the participant"
)
Choice = tuple[FaceTrack, str]  # the chosen face, and why the others were left out
MotionTest = Callable[[FaceTrack], bool]


def choose_lasting_face(tracks: Sequence[FaceTrack], is_moving: MotionTest) -> Choice:
    """The person among the faces of a frame, and the reason why the others were left out.

    `is_moving` tells whether the skin of a face moves over the clip. It is asked only if several faces last. Raises
    BadData if no face lasts until the offset, or if it is not clear which one is meant.
    """
    ranked = sorted((track for track in tracks if not track.missing), key=lambda track: -track.width)
    if len(ranked) < 2:
        return require_lasting_face(ranked[0] if ranked else tracks[0]), "it is not there until the offset"
    largest, second, *_ = ranked
    moving = [track for track in ranked if is_moving(track)]
    if len(moving) == 1 and moving[0].width * FAR_SMALLER > largest.width:
        return moving[0], "it does not move"
    if not moving and largest.width >= FAR_SMALLER * second.width:
        return largest, "it is smaller"
    if largest in moving and largest.width >= CLEARLY_LARGER * moving[1].width:
        return largest, "it is smaller"
    how = f"{len(moving) or 'none'} of them move{'s' if len(moving) == 1 else ''}"
    raise BadData(describe_doubt(ranked, f"{how}, so it is not clear which one is meant"))


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
            f"{track.name}: expected its face (at {describe_box(track.box)} px) in the same place until the offset, got "
            f"none there in {', '.join(track.missing.values())}; correct onset and offset, or cut the clip where the "
            "face leaves."
        )
    return track


def drop_clutter(tracks: Sequence[FaceTrack]) -> list[FaceTrack]:
    """The confident faces. Where there is none, the largest alone."""
    confident = [track for track in tracks if track.score >= CONFIDENT]
    return confident or [max(tracks, key=lambda track: track.width)]


def moves_skin(track: FaceTrack, frames: Sequence[Frame]) -> bool:
    """Whether the skin at the box of a face moves in frames [H,W,3], uint8 RGB; the second one is the first one's next.

    Motion of the whole picture (a camera that shakes) does not count, and neither does what noise alone moves.
    """
    if len(frames) < 3:
        return False
    crop = crop_around_face(track.box, 5, 4, 0.0)
    views = [cut_crop(frame, crop, crop.height, crop.width) for frame in frames]
    _, noise, *rest = measure_skin_motion(views, 0, face_mask(views[0]), blur=1.0)
    return max(rest) > max(STILL, ABOVE_NOISE * noise)


def describe_doubt(tracks: Sequence[FaceTrack], doubt: str) -> str:
    """The sentence that refuses a clip with several faces."""
    return f"{tracks[0].name}: expected one face, got {len(tracks)}, {_list_boxes(tracks)}. {doubt}; {WAY_OUT}."


def _contains(track: FaceTrack, point: Point) -> bool:
    left, top, right, bottom = track.box
    return left <= point[0] <= right and top <= point[1] <= bottom


def _list_boxes(tracks: Sequence[FaceTrack]) -> str:
    return " and ".join(f"at {describe_box(track.box)} px" for track in tracks)
