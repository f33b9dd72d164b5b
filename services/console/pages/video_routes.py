"""The page of one video: its state, and its prediction once it is there."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import HTTPException
from fastapi.responses import Response
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from services.console.pages.page_routes import name_video
from services.console.pages.rendering import render_page
from services.console.pages.status_feed import Moment, StatusFeed
from services.console.pages.video_address import address_video
from services.console.runs.run_reader import LONGEST_SHOWN_BYTES
from services.console.state_reader import StateReader
from shared.errors import BadData
from shared.pipeline_status import VideoState
from shared.prediction.files import PREDICTION_FILE
from shared.prediction.model import PredictedEvent, Prediction
from shared.store import NotStored

SHOWN_EVENTS = 500
LINE_WIDTH, ROW_HEIGHT = 1000, 26  # of the time line, in its own units


@dataclass(frozen=True)
class EventMark:
    """An event on the time line. `left` and `width` are in units of the line, `row` is that of its face."""

    event: PredictedEvent
    left: float
    width: float
    row: int


class VideoPages:
    """The pages of videos. `feed` has their states, the store their predictions."""

    def __init__(self, feed: StatusFeed, reader: StateReader, run_folder: str) -> None:
        self.feed, self.reader, self.run_folder = feed, reader, run_folder

    def list_routes(self) -> Sequence[BaseRoute]:
        return [Route("/videos/{video}", self.show_video)]

    async def show_video(self, request: Request) -> Response:
        moment = await self.feed.read_moment()
        video = _find_video(moment, request.path_params["video"])
        prediction = await self.reader.run_work(lambda: self._read_prediction(video))
        return render_page(
            "video.html.j2",
            digest=moment.digest,
            letter_count=len(moment.letters),
            run_folder=self.run_folder,
            video=video,
            id=name_video(video),
            prediction=prediction,
            marks=place_events(prediction) if prediction else [],
            line_width=LINE_WIDTH,
            row_height=ROW_HEIGHT,
            shown=SHOWN_EVENTS,
        )

    def _read_prediction(self, video: VideoState) -> Prediction | None:
        """None where there is none yet, or one that is too long or of another version."""
        store, key = self.reader.state.store, video.files.get(PREDICTION_FILE, "")
        sizes = [found.size for found in store.list_objects(key) if found.key == key] if key else []
        try:
            return Prediction.decode(store.get(key)) if sizes and sizes[0] <= LONGEST_SHOWN_BYTES else None
        except (NotStored, BadData):
            return None


def place_events(prediction: Prediction) -> Sequence[EventMark]:
    """The first events on a time line, a row for each face. No mark is too small to be seen."""
    rows = {face.id: row for row, face in enumerate(prediction.faces)}
    unit = LINE_WIDTH / max(prediction.video.seconds, 0.001)
    return [
        EventMark(
            event,
            left=round(event.onset_seconds * unit, 1),
            width=round(max(3.0, (event.offset_seconds - event.onset_seconds) * unit), 1),
            row=rows.get(event.face, 0),
        )
        for event in prediction.events[:SHOWN_EVENTS]
    ]


def _find_video(moment: Moment, name: str) -> VideoState:
    """The newest upload under this address. Raises HTTPException 404."""
    for video in reversed(moment.status.videos):
        if address_video(video) == f"/videos/{name}":
            return video
    raise HTTPException(404, "No video has this address: it was replaced or removed. /videos lists all of them.")
