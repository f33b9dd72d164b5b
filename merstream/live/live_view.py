"""What a live session shows at one moment, as plain values: the terminal draws them, the page gets them as JSON."""

from dataclasses import dataclass, field

import numpy as np

from merstream.live.live_face import LiveFace
from merstream.live.session import RATE_SECONDS, LiveSession
from services.spotter.limits import LEAST_RATE
from shared.prediction.model import PredictedEvent
from shared.prediction.page.motion_curves import measure_departure, split_side

CURVE_SECONDS = 15.0
LEAST_SCALE = 0.01  # distances between the eyes at full height, so that noise does not look like motion
STEP = 0.1  # s per place of a curve
MOST_EVENTS = 40  # that are shown. The document has all
NO_FACE_SECONDS = 1.0
BEHIND = 0.8  # share of the frames that are watched, below which it is said


@dataclass(frozen=True)
class RegionCurve:
    """Shares of full height over time, -1 where the face was not followed. right is empty on the midline."""

    name: str
    left: tuple[float, ...]
    right: tuple[float, ...] = ()


@dataclass(frozen=True)
class MotionView:
    """The curves of a face. start: s of their first place. scale: distances between the eyes at full height."""

    face: int
    start: float
    step: float
    scale: float
    rows: tuple[RegionCurve, ...]


@dataclass(frozen=True)
class FaceView:
    """A face in the picture. box: shares of its width and height: left, top, right, bottom."""

    number: int
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class LiveView:
    """One moment. rate: frames watched per second. behind: s from the capture of the last frame until now."""

    name: str
    seconds: float
    rate: float
    dropped: int
    behind: float
    faces: tuple[FaceView, ...]
    remarks: tuple[str, ...]
    motion: MotionView | None
    events: tuple[PredictedEvent, ...]
    counts: dict[str, int] = field(default_factory=dict)
    waiting: tuple[int, ...] = ()
    ended: bool = False


def describe_moment(session: LiveSession, behind: float = 0.0, ended: bool = False) -> LiveView:
    """What the session shows now. behind: s from the capture of the last frame until now."""
    waiting = session.awaited_numbers
    shown = session.events[-MOST_EVENTS:]
    events = tuple(session.compose_event(event) for event in shown)
    plain = [event for event in session.events if not event.spotted.flags]
    counts = {kind: sum(event.spotted.kind == kind for event in plain) for kind in ("micro", "macro")}
    counts["flagged"] = len(session.events) - len(plain)
    width, height = session.size
    faces = tuple(
        FaceView(number, (box[0] / width, box[1] / height, box[2] / width, box[3] / height))
        for number, box in ((number, box.tolist()) for number, box in session.seen)
    )
    return LiveView(
        session.name,
        session.seconds,
        session.rate,
        session.dropped,
        behind,
        faces,
        tuple(describe_problems(session)),
        _describe_motion(session),
        events,
        counts,
        waiting,
        ended,
    )


def describe_problems(session: LiveSession) -> list[str]:
    """What keeps the session from seeing expressions at this moment, in sentences."""
    if not session.frames:
        return ["The first frame has not come yet."]
    problems = [*_describe_rate(session), *_describe_faces(session)]
    if session.recogniser.loaded is None:
        problems.append("The model is being loaded again. Events wait for it.")
    return problems


def _describe_rate(session: LiveSession) -> list[str]:
    if session.seconds < RATE_SECONDS:
        return []
    given, watched = session.source_rate, session.rate
    if given < LEAST_RATE:
        return [
            f"The source gives {given:.0f} frames/s; micro-expressions need {LEAST_RATE:.0f} or more. Give the camera "
            "more light: many halve their rate in the dark."
        ]
    if watched < LEAST_RATE:
        return [
            f"Only {watched:.0f} of {given:.0f} frames/s can be watched; micro-expressions need {LEAST_RATE:.0f} or "
            "more. Close other programs, or give the camera a smaller --size."
        ]
    if watched < BEHIND * given:
        return [f"{watched:.0f} of {given:.0f} frames/s are watched: the computer is busy."]
    return []


def _describe_faces(session: LiveSession) -> list[str]:
    now = [session.faces[number] for number, _ in session.seen if number in session.faces]
    if not now:
        last = max((face.last for face in session.faces.values()), default=0.0)
        lasting = session.seconds - last >= NO_FACE_SECONDS
        return ["No face is seen. Sit in front of the camera, with light on the face."] if lasting else []
    problems = [sentence for face in now for sentence in _name_face(face, len(now))]
    if session.crowd > session.most_faces:
        problems.append(f"Up to {session.crowd} faces were there at once; {session.most_faces} followed (--faces).")
    return problems


def _name_face(face: LiveFace, count: int) -> list[str]:
    start = f"face {face.number}: " if count > 1 else ""
    sentences = [f"{start}{sentence}" for sentence in face.describe_now()]
    return [f"{sentence[:1].upper()}{sentence[1:]}." for sentence in sentences]


def _describe_motion(session: LiveSession) -> MotionView | None:
    """The curves of the first face that is being followed."""
    watches = [face.watch for face in session.faces.values() if face.watch and face.watch.motion]
    if not watches:
        return None
    watch = watches[0]
    motion = watch.motion
    assert motion
    departure = measure_departure(motion)
    count = round(CURVE_SECONDS / STEP)
    end = int(motion.times[-1] / STEP)
    start = end - count + 1
    places = np.floor(motion.times / STEP + 1e-9).astype(int) - start
    inside = places >= 0
    filled = np.full((count, departure.shape[1]), -1.0)
    np.maximum.at(filled, np.minimum(places[inside], count - 1), departure[inside])
    # Lids move much farther than skin. They do not set the scale, and are cut off at full height.
    skin = [index for index, name in enumerate(motion.regions) if "lid" not in name.split()]
    scale = max(LEAST_SCALE, float(filled[:, skin].max()))
    shares = np.where(filled < 0, -1.0, np.round(np.minimum(filled / scale, 1), 3))
    rows: dict[str, dict[str, tuple[float, ...]]] = {}
    for region, column in zip(motion.regions, shares.T.tolist(), strict=True):
        name, side = split_side(region)
        rows.setdefault(name, {})[side] = tuple(column)
    curves = tuple(
        RegionCurve(name, sides.get("left", sides.get("", ())), sides.get("right", ())) for name, sides in rows.items()
    )
    return MotionView(watch.face, start * STEP, STEP, scale, curves)
