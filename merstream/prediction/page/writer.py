"""Write prediction.html: one file that needs no network, and no other file but a long video."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from merstream.prediction.page.artifacts import EventArtifacts
from merstream.prediction.page.event_chart import EventChart, plot_events
from merstream.prediction.page.event_pictures import (
    EventPictures,
    Film,
    draw_event_pictures,
    draw_portrait,
    encode_picture,
    shrink_picture,
)
from merstream.prediction.page.motion_curves import plot_face_curves
from merstream.prediction.page.playable_video import PlayableVideo, find_playable_source
from merstream.prediction.page.unit_names import UNIT_NAMES
from services.trainer.report import html_page
from shared.images.flow_colour import Picture, draw_colour_wheel
from shared.prediction.model import PredictedEvent, Prediction
from shared.spotting.face_motion import FaceMotion
from shared.store import LocalStore

PAGE_FILE = "prediction.html"
MOST_PICTURED = 120  # events with pictures, some 100 KB each
PORTRAIT_WIDTH, STRIP_WIDTH, WHEEL_PIXELS = 96, 96, 44  # px


@dataclass(frozen=True)
class ShownEvent:
    """An event with what the page shows of it."""

    event: PredictedEvent
    chart: EventChart | None
    pictures: EventPictures | None

    @property
    def film(self) -> Film | None:
        return self.pictures.film if self.pictures else None


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
        unit_names=UNIT_NAMES,
        pictured=MOST_PICTURED,
        data={
            "seconds": seconds,
            "curves": [asdict(each) for each in curves if each],
            "events": [_describe_times(each.event) for each in events],
            "films": {each.event.id: each.film.times for each in events if each.film},
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
                portraits[event.face] = draw_portrait(held, PORTRAIT_WIDTH)
        yield ShownEvent(event, charts.get(event.id), pictures)


def _choose_pictured(events: Sequence[PredictedEvent]) -> set[int]:
    """The events that have pictures: those without a flag first, then the strongest."""
    best = sorted(events, key=lambda event: (bool(event.flags), -event.strength, event.id))
    return {event.id for event in best[:MOST_PICTURED]}


def _describe_times(event: PredictedEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "face": event.face,
        "kind": event.kind,
        "flagged": bool(event.flags),
        "onset": event.onset_seconds,
        "apex": event.apex_seconds,
        "offset": event.offset_seconds,
    }


def format_clock(seconds: float) -> str:
    """`4.27 s`, or `1:02.5` from a minute on, or `1:02:03.5` from an hour on."""
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


@cache
def _open_templates() -> Environment:
    # The report's style sheet is the base of this page's.
    folders = [Path(__file__).parent / "templates", Path(html_page.__file__).parent / "templates"]
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(clock=format_clock)
    return environment
