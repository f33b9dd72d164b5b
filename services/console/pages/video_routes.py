"""The page of one video: its state, and the view of its prediction as far as it is made."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from fastapi import HTTPException
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from services.console.pages.rendering import PAGE_HEADERS, load_templates, render_moment
from services.console.pages.status_feed import Moment, StatusFeed
from services.console.pages.video_address import address_video, name_video
from services.console.state_reader import T
from services.console.videos.view_reader import DRAWING_SECONDS, ViewReader, find_portrayed
from shared.pipeline_status import VideoState
from shared.prediction.model import Prediction
from shared.prediction.page.view import list_event_times
from shared.video_progress import VideoProgress

SHOWN_EVENTS = 500
# The view places its marks and bars by attributes of style, and its pictures are inside the page.
VIEW_HEADERS = {
    "Content-Security-Policy": PAGE_HEADERS["Content-Security-Policy"].replace("img-src 'self'", "img-src 'self' data:")
    + "; style-src-attr 'unsafe-inline'"
}


@dataclass(frozen=True)
class FoundVideo:
    """A video with its prediction, of which pages show the first SHOWN_EVENTS."""

    state: VideoState
    progress: VideoProgress
    prediction: Prediction | None

    def require_prediction(self) -> Prediction:
        """Raises HTTPException 404 without one."""
        if self.prediction is None:
            raise HTTPException(404, f"{self.state.video} is {self.state.state}, so it has no events to show yet.")
        return self.prediction


class VideoPages:
    """The pages of videos. `feed` has their states, the store their predictions."""

    def __init__(self, feed: StatusFeed, views: ViewReader, run_folder: str) -> None:
        self.feed, self.views, self.run_folder = feed, views, run_folder

    def list_routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/videos/{video}", self.show_video),
            Route("/videos/{video}/curves", self.send_curves),
            Route("/videos/{video}/events/{event:int}", self.show_event),
            Route("/videos/{video}/faces/{face:int}", self.send_portrait),
        ]

    async def show_video(self, request: Request) -> Response:
        moment = await self.feed.read_moment()
        found = await self._run_work(lambda: self._find_video(moment, request))
        prediction = found.prediction
        shown = prediction.model_copy(update={"events": prediction.events[:SHOWN_EVENTS]}) if prediction else None
        return render_moment(
            "video.html.j2",
            moment,
            headers=VIEW_HEADERS,
            run_folder=self.run_folder,
            video=found.state,
            id=name_video(found.state),
            faces=_shows_faces(request),
            portraits=_address_portraits(found) if _shows_faces(request) else {},
            prediction=shown,
            whole=prediction,
            hidden_events=len(prediction.events) - SHOWN_EVENTS if prediction else 0,
            data=_describe_view(shown, found.progress) if shown else None,
        )

    async def send_curves(self, request: Request) -> Response:
        moment = await self.feed.read_moment()

        def read_curves() -> list[dict[str, object]]:
            found = self._find_video(moment, request)
            return [asdict(each) for each in self.views.read_curves(found.progress, found.require_prediction())]

        return JSONResponse(await self._run_work(read_curves), headers=PAGE_HEADERS)

    async def send_portrait(self, request: Request) -> Response:
        moment, face = await self.feed.read_moment(), request.path_params["face"]

        def draw_portrait() -> bytes:
            found = self._find_video(moment, request)
            return self.views.draw_portrait(found.progress, found.require_prediction(), face)

        return Response(await self._run_work(draw_portrait), media_type="image/webp", headers=PAGE_HEADERS)

    async def show_event(self, request: Request) -> Response:
        """What the page of the video shows of an event that is opened there."""
        moment, number = await self.feed.read_moment(), request.path_params["event"]

        def draw_event() -> str:
            found = self._find_video(moment, request)
            prediction = found.require_prediction()
            shown = self.views.show_event(found.progress, prediction, number, _shows_faces(request))
            parts = load_templates().get_template("page_parts.html.j2").module
            wheel = self.views.draw_wheel() if shown.pictures else ""
            return str(parts.opened_event(shown, len(prediction.faces) > 1, wheel))  # type: ignore[attr-defined]

        return HTMLResponse(await self._run_work(draw_event), headers=PAGE_HEADERS)

    async def _run_work(self, work: Callable[[], T]) -> T:
        return await self.feed.reader.run_work(work, DRAWING_SECONDS)

    def _find_video(self, moment: Moment, request: Request) -> FoundVideo:
        """The newest upload under this address. Raises HTTPException 404."""
        address = f"/videos/{request.path_params['video']}"
        for state, progress in zip(reversed(moment.status.videos), reversed(moment.videos), strict=True):
            if address_video(state) == address:
                return FoundVideo(state, progress, self.views.read_prediction(progress))
        raise HTTPException(404, "No video has this address: it was replaced or removed. /videos lists all of them.")


def _address_portraits(found: FoundVideo) -> dict[int, str]:
    """The address of the picture of each face of which there is one."""
    faces = find_portrayed(found.progress, found.prediction) if found.prediction else {}
    return {face: f"{address_video(found.state)}/faces/{face}" for face in faces}


def _shows_faces(request: Request) -> bool:
    return request.query_params.get("faces") != "no"


def _describe_view(prediction: Prediction, progress: VideoProgress) -> dict[str, object]:
    """What the script of the view knows. An event has another version once there is more to show of it."""
    features = progress.events.features if progress.events else {}
    versions = [f"{each.id in features} {progress.state}" for each in prediction.events]
    events = [
        {**times, "version": version}
        for times, version in zip(list_event_times(prediction.events), versions, strict=True)
    ]
    return {"seconds": prediction.video.seconds, "events": events, "asked": True}
