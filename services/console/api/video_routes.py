"""The route of the API about videos."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.console.api.refusals import describe_problems
from services.console.cursor_pages import Cursor, cut_page, link_next
from services.console.pages.rendering import quote_path
from services.console.pages.status_feed import StatusFeed
from services.console.pages.video_address import address_video, locate_video, name_video
from shared.pipeline_status import VideoState
from shared.records import FrozenModel
from shared.video_progress import VIDEO_STATES

VideoLimit = Annotated[int, Query(ge=1, le=1000, description="Maximum number of videos, the newest first.")]


class VideoAnswer(FrozenModel):
    """An uploaded video. Counts are null before they exist. `files` has the addresses of its prediction's files."""

    name: str
    url: str = Field(description="Address of its page.")
    pipeline: str
    state: str = Field(description=f"One of {', '.join(VIDEO_STATES)}.")
    reason: str = Field(description="Why it failed or is lost.")
    events: int | None
    waiting: int | None = Field(description="Events without features so far.")
    recognised: int | None
    files: dict[str, str]
    created: str


class VideoApi:
    """Lists videos."""

    def __init__(self, feed: StatusFeed) -> None:
        self.feed = feed

    def add_routes(self, router: APIRouter) -> None:
        router.add_api_route("/videos", self.list_videos, methods=["GET"], responses=describe_problems(422))

    async def list_videos(
        self, request: Request, response: Response, limit: VideoLimit = 100, cursor: Cursor = ""
    ) -> Sequence[VideoAnswer]:
        """The uploaded videos and their progress. The header `Link` names the next page."""
        moment = await self.feed.read_moment()
        page = cut_page(moment.status.videos, locate_video, limit, cursor, descending=True)
        link_next(response, request, page)
        return [_describe_video(video) for video in page.rows]


def _describe_video(video: VideoState) -> VideoAnswer:
    folder = f"/videos/{name_video(video)}"
    return VideoAnswer(
        name=video.video,
        url=address_video(video),
        pipeline=video.pipeline,
        state=video.state,
        reason=video.reason,
        events=video.events,
        waiting=video.pending,
        recognised=video.recognised,
        files={name: f"{folder}/{quote_path(name)}" for name in sorted(video.files)},
        created=video.created,
    )
