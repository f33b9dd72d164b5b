"""The routes of uploads: files in parts or at once, and the plans beside them."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import RedirectResponse, StreamingResponse

from services.console.api.refusals import describe_problem, describe_problems
from services.console.problems import wants_page
from services.console.state_reader import StateReader
from services.console.uploads.desk import SMALL_FILE_BYTES, UploadDesk, rank_names
from services.console.uploads.form_body import LARGEST_FORM_BYTES, open_form_file
from services.console.uploads.part_body import receive_body
from services.console.uploads.records import (
    NamesAnswer,
    NamesRequest,
    PlanRequest,
    StoredAnswer,
    Target,
    UploadAnswer,
    UploadRequest,
)

MOST_BODIES = 8  # that are received at once: each lies on disk until the store has it
STORE_SECONDS = 300.0  # for a part
UploadId = Annotated[str, InPath(pattern="^[0-9a-f]{32}$", description="The `id` that `POST /uploads` returned.")]
BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}}
LINES: dict[int | str, Any] = {200: {"description": "A line for each file.", "content": {"application/x-ndjson": {}}}}


class UploadRoutes:
    """All routes of uploads. Without a desk, as over an embedded run, each refuses with a sentence."""

    def __init__(self, reader: StateReader, desk: UploadDesk | None, scratch: Path | None) -> None:
        self.reader, self._desk, self.scratch = reader, desk, scratch
        self._bodies, self._form = asyncio.Semaphore(MOST_BODIES), asyncio.Semaphore(1)

    @property
    def desk(self) -> UploadDesk:
        """Raises HTTPException 409 where nothing can be uploaded."""
        if self._desk is None:
            sentence = "This console shows the folder of one run, which takes no uploads. `mer run DATASET --out DIR` "
            raise HTTPException(409, sentence + "computes a dataset, and `mer predict VIDEO` predicts a video.")
        return self._desk

    def add_routes(self, router: APIRouter) -> None:
        embedded = describe_problem(409, "This console shows the folder of one run.")
        gone, refused = describe_problems(404, 422) | embedded, describe_problems(422) | embedded
        body = describe_problem(413, "The body is too large.") | describe_problem(400, "The connection ended early.")
        add = router.add_api_route
        add("/uploads", self.begin_upload, methods=["POST"], responses=refused)
        add("/uploads", self.list_uploads, methods=["GET"], responses=describe_problems())
        add("/uploads/names", self.check_names, methods=["POST"], responses=refused)
        add("/uploads/plan", self.store_plan, methods=["POST"], status_code=204, responses=refused)
        add("/uploads/stored/{to}", self.list_stored, methods=["GET"], responses={**refused, **LINES})
        add(
            "/uploads/stored/{to}/{name:path}",
            self.store_file,
            methods=["PUT"],
            openapi_extra=BODY,
            responses=refused | body | describe_problem(404, "The name has a line break, which no name may have."),
        )
        add("/uploads/form", self.store_form, methods=["POST"], include_in_schema=False)
        add("/uploads/{upload}", self.show_upload, methods=["GET"], responses=gone)
        add(
            "/uploads/{upload}/parts/{number}",
            self.store_part,
            methods=["PUT"],
            status_code=204,
            openapi_extra=BODY,
            responses=gone | body,
        )
        missing = describe_problem(409, "Parts are missing, or this console shows the folder of one run.")
        add("/uploads/{upload}/finish", self.finish_upload, methods=["POST"], responses=gone | missing)
        add(
            "/uploads/{upload}/abandon",
            self.abandon_upload,
            methods=["POST"],
            status_code=204,
            response_model=None,
            responses=gone,
        )

    async def begin_upload(self, request: UploadRequest) -> UploadAnswer:
        """Begin an upload in parts, or find the one that this request began. The answer has the parts that are there.

        Nothing is in the bucket before `finish`. An upload is abandoned a week after its last part.
        """
        desk = self.desk
        return await self.reader.run_work(lambda: desk.begin_upload(request))

    async def list_uploads(self) -> list[UploadAnswer]:
        """All uploads that have begun and not ended."""
        return await self.reader.run_work(self._desk.list_uploads) if self._desk else []

    async def show_upload(self, upload: UploadId) -> UploadAnswer:
        """One upload, with the parts that are there."""
        desk = self.desk
        return await self.reader.run_work(lambda: desk.find_upload(upload))

    async def store_part(self, upload: UploadId, number: int, request: Request) -> None:
        """Store a part: the bytes alone, as the body. A part may be sent again."""
        desk = self.desk
        size = await self.reader.run_work(lambda: desk.measure_part(upload, number))
        async with self._bodies, receive_body(request, self.scratch, size, exact=True) as part:
            await self.reader.run_work(lambda: desk.store_part(upload, number, part), STORE_SECONDS)

    async def finish_upload(self, upload: UploadId) -> StoredAnswer:
        """Make the file of its parts. It appears in the bucket at once."""
        desk = self.desk
        return await self.reader.run_work(lambda: desk.finish_upload(upload), STORE_SECONDS)

    async def abandon_upload(self, upload: UploadId, request: Request) -> Response:
        """End an upload and delete its parts. A form of a page gets the page of uploads."""
        desk = self.desk
        await self.reader.run_work(lambda: desk.abandon_upload(upload))
        return RedirectResponse("/uploads", 303) if wants_page(request.scope) else Response(status_code=204)

    async def store_file(self, to: Target, name: str, request: Request) -> StoredAnswer:
        """Store a small file at once: the bytes alone, as the body. It replaces one of the same name."""
        desk = self.desk
        async with self._bodies, receive_body(request, self.scratch, SMALL_FILE_BYTES, exact=False) as file:
            size = file.seek(0, 2)
            file.seek(0)
            return await self.reader.run_work(lambda: desk.store_file(to, name, file, size), STORE_SECONDS)

    async def store_form(self, request: Request) -> Response:
        """Store the file of a form, for browsers without JavaScript. The answer leads to what became of it."""
        desk, kind = self.desk, request.headers.get("content-type", "")
        async with self._form, receive_body(request, self.scratch, LARGEST_FORM_BYTES, exact=False) as body:
            target = await self.reader.run_work(lambda: self._store_form_file(desk, body, kind), STORE_SECONDS)
        return RedirectResponse(f"/{target}", 303)

    def _store_form_file(self, desk: UploadDesk, body: IO[bytes], content_type: str) -> Target:
        with open_form_file(body, content_type, self.scratch) as form:
            target: Target = "videos" if form.to == "videos" else "datasets"
            desk.store_file(target, form.name, form.file, form.size)
            return target

    async def list_stored(
        self, to: Target, below: Annotated[str, Query(description="How the paths begin.")] = ""
    ) -> StreamingResponse:
        """The files of a bucket: a line of JSON for each, with `name`, `size` and `stored` (seconds since 1970)."""
        found = await self.reader.run_work(lambda: self.desk.list_stored(to, below))

        def write_lines() -> Iterator[str]:
            for entry in found:
                line = {"name": entry.key, "size": entry.size, "stored": entry.modified.timestamp()}
                yield json.dumps(line) + "\n"

        return StreamingResponse(write_lines(), media_type="application/x-ndjson")

    async def check_names(self, request: NamesRequest) -> NamesAnswer:
        """Say in which order files are to be sent, and which cannot be."""
        return rank_names(request.to, request.names)

    async def store_plan(self, request: PlanRequest) -> None:
        """Store the `merstream.json` of a dataset or a video. Send it after the frames and before the sheet."""
        desk = self.desk
        await self.reader.run_work(lambda: desk.store_plan(request))
