"""The pages of a dataset's clips."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi.responses import Response
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from services.console.clips.clip_pictures import PICTURE_KINDS, ClipDrawer
from services.console.clips.clip_reader import ClipReader, clip_address
from services.console.pages.listing import select_rows
from services.console.pages.rendering import render_moment
from services.console.pages.status_feed import StatusFeed


class ClipPages:
    """The list of a dataset's clips, and the page of one."""

    def __init__(self, feed: StatusFeed, clips: ClipReader, drawer: ClipDrawer) -> None:
        self.feed, self.clips, self.drawer = feed, clips, drawer

    def list_routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/datasets/{dataset}/clips", self.show_clips),
            Route("/datasets/{dataset}/clips/{subject}/{clip}", self.show_clip),
        ]

    async def show_clips(self, request: Request) -> Response:
        moment, pipeline = await self.feed.read_moment(), request.query_params.get("pipeline", "")

        def read_page() -> dict[str, Any]:
            dataset = self.clips.find_dataset(moment.snapshot, request.path_params["dataset"], pipeline)
            kept = [("pipeline", pipeline)] if pipeline else []
            found = select_rows(dataset.clips, request.query_params, lambda each: each, lambda each: (each,), kept=kept)
            clips = self.clips.describe_clips(moment.snapshot, dataset, found.rows)
            return {"dataset": dataset, "listing": found, "clips": clips}

        page = await self.feed.reader.run_work(read_page)
        return render_moment("clips.html.j2", moment, query=_name_pipeline(pipeline), **page)

    async def show_clip(self, request: Request) -> Response:
        moment, path, query = await self.feed.read_moment(), request.path_params, request.query_params
        pipeline = query.get("pipeline", "")

        def read_page() -> dict[str, Any]:
            dataset = self.clips.find_dataset(moment.snapshot, path["dataset"], pipeline)
            found = self.clips.find_clip(moment.snapshot, dataset, path["subject"], path["clip"])
            factors = self.drawer.list_factors(found.record) if found.record else []
            return {"found": found, "clip": self.clips.describe_clip(moment.snapshot, found), "factors": factors}

        page = await self.feed.reader.run_work(read_page)
        return render_moment(
            "clip.html.j2",
            moment,
            query=_name_pipeline(pipeline),
            factor=_read_index(query.get("factor", ""), len(page["factors"])),
            kinds=PICTURE_KINDS,
            clip_address=clip_address,
            **page,
        )


def _name_pipeline(pipeline: str) -> str:
    return "?" + urlencode({"pipeline": pipeline}) if pipeline else ""


def _read_index(text: str, count: int) -> int:
    """An index below `count`; the middle one for any other text."""
    index = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else count
    return index if index < count else count // 2
