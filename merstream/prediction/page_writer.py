"""Write prediction.html: one file that needs no network, and no other file but a long video."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

from jinja2 import Environment

from merstream.prediction.playable_video import PlayableVideo, find_playable_source
from shared.images.flow_colour import Picture, draw_colour_wheel
from shared.prediction.model import PredictedEvent, Prediction
from shared.prediction.page.artifacts import EventArtifacts
from shared.prediction.page.event_chart import plot_events
from shared.prediction.page.event_pictures import (
    draw_event_pictures,
    draw_portrait,
    encode_picture,
    shrink_picture,
)
from shared.prediction.page.motion_curves import plot_face_curves
from shared.prediction.page.view import WHEEL_PIXELS, ShownEvent, list_event_times, open_view_templates
from shared.spotting.face_motion import FaceMotion
from shared.store import LocalStore

PAGE_FILE = "prediction.html"
MOST_PICTURED = 120  # events with pictures, some 100 KB each
STRIP_WIDTH = 96  # px


def write_page(
    folder: Path,
    prediction: Prediction,
    motions: Mapping[int, Iterable[FaceMotion]],
    artifacts: Mapping[int, EventArtifacts],
    video: Path | None = None,
    *,
    strip: Sequence[tuple[float, Picture]] = (),
    faces: bool = True,
) -> Path:
    """Write prediction.html into the folder and return the file.

    motions: by face id, one per segment, iterated several times. artifacts: by event id; an event without them has no
    pictures. Each is asked for once and not kept, so both mappings may read from a store when asked. video: what the
    page plays. The overlay's file is best, since every browser plays it. A small file is embedded, a larger one linked.
    strip: frames (seconds, uint8 [H, W, 3]) above the time line. faces: False leaves out every picture of a face, and
    the video.
    """
    portraits: dict[int, str] = {}
    events = list(_show_events(prediction, motions, artifacts, portraits, faces))
    seconds = prediction.video.seconds
    curves = [plot_face_curves(face.id, motions.get(face.id, ()), seconds) for face in prediction.faces]
    page = _open_templates().get_template("prediction.html.j2").render(
        prediction=prediction,
        events=events,
        portraits=portraits,
        video=find_playable_source(video, folder) if video and faces else PlayableVideo("", False),
        strip=[(at, encode_picture(shrink_picture(frame, STRIP_WIDTH), 70)) for at, frame in strip] if faces else [],
        faces=faces,
        wheel=encode_picture(draw_colour_wheel(WHEEL_PIXELS), 95),
        data={
            "seconds": seconds,
            "curves": [asdict(each) for each in curves if each],
            "events": list_event_times(prediction.events),
        },
    )  # fmt: skip
    LocalStore(folder).put(PAGE_FILE, page.encode())
    return folder / PAGE_FILE


def _show_events(
    prediction: Prediction,
    motions: Mapping[int, Iterable[FaceMotion]],
    artifacts: Mapping[int, EventArtifacts],
    portraits: dict[int, str],
    faces: bool,
) -> Iterable[ShownEvent]:
    """Each event with chart and pictures. A portrait of each face is put into `portraits` on the way."""
    pictured, charts = _choose_pictured(prediction.events), plot_events(prediction.events, motions)
    for event in prediction.events:
        pictures = None
        if event.id in pictured and event.id in artifacts:
            held = artifacts[event.id]
            pictures = draw_event_pictures(held, event.seconds, faces)
            if faces and event.face not in portraits:
                portraits[event.face] = encode_picture(draw_portrait(held))
        shown = ShownEvent(event, charts.get(event.id), pictures)
        if len(prediction.events) > MOST_PICTURED:
            few = f"Only the {MOST_PICTURED} strongest events have pictures, so that this page stays small."
            shown = replace(shown, missing=few)
        yield shown


def _choose_pictured(events: Sequence[PredictedEvent]) -> set[int]:
    """The events that have pictures: those without a flag first, then the strongest."""
    best = sorted(events, key=lambda event: (bool(event.flags), -event.strength, event.id))
    return {event.id for event in best[:MOST_PICTURED]}


@cache
def _open_templates() -> Environment:
    return open_view_templates()
