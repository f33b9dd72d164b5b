"""What a page shows of a prediction: in a file of its own and in the console. The templates draw it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment

from shared.page_templates import open_templates
from shared.prediction.model import PredictedEvent
from shared.prediction.page.event_chart import EventChart
from shared.prediction.page.unit_names import UNIT_NAMES

if TYPE_CHECKING:  # it loads OpenCV, which the console needs for pictures alone
    from shared.prediction.page.event_pictures import EventPictures, Film

VIEW_FOLDER = Path(__file__).parent / "templates"
WHEEL_PIXELS = 44  # px of the picture of the colours


@dataclass(frozen=True)
class ShownEvent:
    """An event with what the page shows of it. `missing` stands for pictures, `unrecognised` for a recognition."""

    event: PredictedEvent
    chart: EventChart | None = None
    pictures: "EventPictures | None" = None
    missing: str = "This event has no pictures."
    unrecognised: str = "Not recognised: no model was used."

    @property
    def film(self) -> "Film | None":
        return self.pictures.film if self.pictures else None


def list_event_times(events: Sequence[PredictedEvent]) -> list[dict[str, Any]]:
    """What the script of the page knows of events, as JSON values."""
    return [
        {
            "id": event.id,
            "face": event.face,
            "kind": event.kind,
            "flagged": bool(event.flags),
            "onset": event.onset_seconds,
            "apex": event.apex_seconds,
            "offset": event.offset_seconds,
        }
        for event in events
    ]


def open_view_templates(*folders: Path) -> Environment:
    """The templates of the view, and those in `folders`."""
    environment = open_templates(*folders, VIEW_FOLDER)
    environment.filters.update(clock=format_clock)
    environment.globals.update(unit_names=UNIT_NAMES)
    return environment


def format_clock(seconds: float) -> str:
    """`4.27 s`, or `1:02.5` from a minute on, or `1:02:03.5` from an hour on."""
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
