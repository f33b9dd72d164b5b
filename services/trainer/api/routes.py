"""The routes: each looks at the state as it is now, within a limit of time, and answers from it."""

import logging
import mimetypes
import tempfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, Annotated, TypeVar

import anyio
import anyio.to_thread
from fastapi import APIRouter, HTTPException, Query, Response
from fastapi import Path as InPath
from fastapi.responses import StreamingResponse

from services.trainer.api import responses
from services.trainer.api.responses import DatasetAnswer, RunAnswer
from services.trainer.api.run_request import RunRequest
from services.trainer.runs import definition
from services.trainer.runs.state import Known, State
from shared.bus.topics import topic
from shared.errors import BadData, MerError, Unavailable
from shared.records import Run
from shared.store import PIECE
from shared.worker.retry import is_trouble

log = logging.getLogger(__name__)

T = TypeVar("T")
Id = Annotated[str, InPath(pattern="^[0-9a-f]{32}$", description="As `POST /runs` gave it.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many, the newest first.")]
AGAIN = {"Retry-After": "5"}
Refusals = dict[int | str, dict[str, str]]
UNKNOWN: Refusals = {404: {"description": "Nobody started or dropped it."}}
REFUSED: Refusals = {**UNKNOWN, 409: {"description": "Clips are under way."}, 422: {"description": "No sense in it."}}


class Routes:
    """`device` chooses the model where none is asked for. Nobody waits for broker and store longer than
    `patience_seconds`: then it is 503, and what was asked may be asked again."""

    def __init__(self, state: State, device: str, scratch: Path | None, patience_seconds: float) -> None:
        self.state, self.device, self.scratch, self.patience_seconds = state, device, scratch, patience_seconds
        self._total = lru_cache(maxsize=1000)(self._counted)

    def router(self) -> APIRouter:
        router = APIRouter()
        router.add_api_route("/runs", self.start, methods=["POST"], status_code=202, responses=REFUSED)
        router.add_api_route("/runs", self.runs, methods=["GET"])
        router.add_api_route("/runs/{run}", self.run, methods=["GET"], responses=UNKNOWN)
        router.add_api_route(
            "/runs/{run}/{name}", self.file, methods=["GET"], responses=UNKNOWN, response_class=StreamingResponse
        )
        router.add_api_route("/datasets", self.datasets, methods=["GET"])
        return router

    async def start(self, request: RunRequest, response: Response) -> RunAnswer:
        """Start a run. The same request is the same run: nothing is done twice; one that failed is tried again."""
        started = await self._soon(lambda known: self._start(request, known))
        response.headers["Location"] = started.url
        return started

    async def runs(self, dataset: str | None = None, limit: Limit = 100) -> list[RunAnswer]:
        """All runs, asked for or started by a drop."""
        return await self._soon(lambda known: responses.runs(known, dataset, limit, self._total))

    async def run(self, run: Id) -> RunAnswer:
        """How far a run is."""
        return await self._soon(lambda known: self._told(known, run))

    async def file(self, run: Id, name: str) -> StreamingResponse:
        """A file of the report: report.html, report.json, predictions.csv, latex.tex, ...; or run.json."""
        file = await self._soon(lambda known: self._fetched(known, run, name))
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return StreamingResponse(_pieces(file), media_type=kind, headers={"X-Content-Type-Options": "nosniff"})

    async def datasets(self) -> list[DatasetAnswer]:
        """What was dropped and how far it is."""
        return await self._soon(lambda known: list(responses.datasets(known)))

    async def _soon(self, work: Callable[[Known], T]) -> T:
        """What `work` makes of the state, in a thread. Raises HTTPException: 503 for trouble, 500 for what somebody
        has to put right."""
        try:
            with anyio.fail_after(self.patience_seconds):
                return await anyio.to_thread.run_sync(
                    lambda: work(self.state.read(self.patience_seconds)), abandon_on_cancel=True
                )
        except MerError as error:
            trouble = isinstance(error, Unavailable)
            raise HTTPException(503 if trouble else 500, str(error), AGAIN if trouble else None) from error
        except Exception as error:
            if not is_trouble(error):
                raise
            said = str(error) or f"Broker or store gave no answer within {self.patience_seconds:g} s."
            raise HTTPException(503, said, AGAIN) from error

    def _start(self, request: RunRequest, known: Known) -> RunAnswer:
        run, contents = request.run(known, self.device)
        before = known.results.get(run.id)
        if before is not None and before.status == "failed":
            self.state.bus.publish(topic("results").name, before.key, None)
            before = None
        elif before is not None or run.id in known.runs:
            return self._told(known, run.id)
        self.state.start(run, contents)
        log.info("run started", extra={"mer": {"stage": "api", "key": run.id, "dataset": run.dataset}})
        return self._told(self.state.read(self.patience_seconds), run.id)

    def _told(self, known: Known, run: str) -> RunAnswer:
        if found := responses.run(known, run, self._total):
            return found
        raise HTTPException(404, f"No run {run}; GET /runs lists those there are.")

    def _fetched(self, known: Known, run: str, name: str) -> IO[bytes]:
        """The file, without a name on disk. Raises HTTPException."""
        about = self._told(known, run)
        if name not in about.files:
            there = ", ".join(sorted(about.files)) or f"none, it is {about.state}"
            raise HTTPException(404, f"Run {run} has no file {name!r}; there are {there}.")
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            file = Path(folder) / "file"
            self.state.store.fetch(known.results[run].files[name], file)
            return file.open("rb")

    def _counted(self, run: Run) -> int | None:
        """How many folds it has; None where nobody can tell."""
        try:
            contents, choice = definition.opened(self.state.store, run)
            return len(definition.tasks(contents.features, choice))
        except BadData:
            return None


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece
