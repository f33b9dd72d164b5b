"""The routes of the API about the clips of a dataset."""

from collections.abc import Sequence
from typing import IO, Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import StreamingResponse

from services.console.api.refusals import describe_problem, describe_problems
from services.console.clips.clip_pictures import PICTURE_KINDS, ClipDrawer
from services.console.clips.clip_reader import ClipAnswer, ClipDetail, ClipReader, FoundClip
from services.console.cursor_pages import Cursor, cut_page, link_next
from services.console.state_reader import StateReader
from services.console.stored_files import POWERLESS_HEADERS, open_stored_file, stream_file
from shared.pipeline_state import PipelineSnapshot
from shared.store import NotStored

Segment = Annotated[str, InPath(description="A part of the clip's `identity`, as it is encoded there.")]
PipelineDigest = Annotated[
    str | None,
    Query(description="Digest of the pipeline. Default: that of the newest upload."),
]
ClipSearch = Annotated[str, Query(max_length=200, description="Part of an identity.")]
ClipLimit = Annotated[int, Query(ge=1, le=1000, description="Maximum number of clips.")]
ClipOffset = Annotated[int, Query(ge=0, description="How many clips to leave out at the beginning, without a cursor.")]
FactorIndex = Annotated[int | None, Query(ge=0, description="Index of the factor. Default: the middle one.")]
CLIP_PATH = "/datasets/{dataset}/clips/{subject}/{clip}"
FILE_FORMAT = {"schema": {"type": "string", "format": "binary"}}


class ClipApi:
    """Lists clips, and sends their pictures and artifacts."""

    def __init__(self, reader: StateReader, clips: ClipReader, drawer: ClipDrawer) -> None:
        self.reader, self.clips, self.drawer = reader, clips, drawer

    def add_routes(self, router: APIRouter) -> None:
        unknown = describe_problems(422) | describe_problem(404, "There is no such dataset, clip or artifact.")
        router.add_api_route("/datasets/{dataset}/clips", self.list_clips, methods=["GET"], responses=unknown)
        router.add_api_route(CLIP_PATH, self.show_clip, methods=["GET"], responses=unknown)
        large = describe_problem(409, "The artifact is of another version.") | describe_problem(413, "It is too large.")
        router.add_api_route(
            CLIP_PATH + "/pictures/{kind}",
            self.send_picture,
            methods=["GET"],
            responses={
                **unknown,
                **large,
                200: {"description": "The picture.", "content": {"image/jpeg": FILE_FORMAT}},
            },
            response_class=Response,
        )
        router.add_api_route(
            CLIP_PATH + "/artifacts/{stage}",
            self.send_artifact,
            methods=["GET"],
            responses={
                **unknown,
                200: {"description": "Arrays as an .npz.", "content": {"application/octet-stream": FILE_FORMAT}},
            },
            response_class=StreamingResponse,
        )

    async def list_clips(
        self,
        request: Request,
        response: Response,
        dataset: Segment,
        pipeline: PipelineDigest = None,
        search: ClipSearch = "",
        offset: ClipOffset = 0,
        limit: ClipLimit = 100,
        cursor: Cursor = "",
    ) -> Sequence[ClipAnswer]:
        """The clips of a dataset by name. The header `Link` names the next page."""

        def list_found(snapshot: PipelineSnapshot) -> Sequence[ClipAnswer]:
            found = self.clips.find_dataset(snapshot, dataset, pipeline)
            named = sorted(each for each in found.clips if search.casefold() in each.casefold())
            page = cut_page(named if cursor else named[offset:], lambda each: (each,), limit, cursor)
            link_next(response, request, page)
            return self.clips.describe_clips(snapshot, found, page.rows)

        return await self.reader.with_snapshot(list_found)

    async def show_clip(
        self, dataset: Segment, subject: Segment, clip: Segment, pipeline: PipelineDigest = None
    ) -> ClipDetail:
        """A clip with what each stage made of it."""

        def describe(snapshot: PipelineSnapshot) -> ClipDetail:
            return self.clips.describe_clip(snapshot, self._find_clip(snapshot, dataset, subject, clip, pipeline))

        return await self.reader.with_snapshot(describe)

    async def send_picture(
        self,
        dataset: Segment,
        subject: Segment,
        clip: Segment,
        kind: Annotated[str, InPath(description=f"One of {', '.join(PICTURE_KINDS)}.")],
        pipeline: PipelineDigest = None,
        factor: FactorIndex = None,
    ) -> Response:
        """A picture of what a stage made of a clip, as a JPEG."""

        def draw(snapshot: PipelineSnapshot) -> bytes:
            found = self._find_clip(snapshot, dataset, subject, clip, pipeline)
            return self.drawer.draw_picture(found.require_record(), kind, factor)

        data = await self.reader.with_snapshot(draw)
        headers = {**POWERLESS_HEADERS, "Cache-Control": "no-store"}
        return Response(data, media_type="image/jpeg", headers=headers)

    async def send_artifact(
        self, dataset: Segment, subject: Segment, clip: Segment, stage: str, pipeline: PipelineDigest = None
    ) -> StreamingResponse:
        """The artifact of a stage: the arrays of `docs/explanation/stages`."""

        def open_artifact(snapshot: PipelineSnapshot) -> IO[bytes]:
            record = self._find_clip(snapshot, dataset, subject, clip, pipeline).require_record()
            if stage not in record.artifacts:
                known = ", ".join(record.artifacts)
                raise HTTPException(404, f"The clip has no artifact of {stage!r}; there are {known}.")
            try:
                key = record.artifacts[stage].key
                return open_stored_file(self.clips.store, key, self.drawer.artifacts.scratch)
            except NotStored as gone:
                raise HTTPException(404, str(gone)) from None

        return stream_file(await self.reader.with_snapshot(open_artifact), f"{stage}.npz")

    def _find_clip(
        self, snapshot: PipelineSnapshot, dataset: str, subject: str, clip: str, pipeline: str | None
    ) -> FoundClip:
        return self.clips.find_clip(snapshot, self.clips.find_dataset(snapshot, dataset, pipeline), subject, clip)
