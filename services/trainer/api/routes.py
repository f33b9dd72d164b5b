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
from services.trainer.runs.state import PipelineSnapshot, PipelineState
from shared.bus.topics import RESULTS
from shared.errors import BadData, MerError, Unavailable
from shared.records import Run
from shared.store import PIECE
from shared.worker.retry import is_transient

log = logging.getLogger(__name__)

T = TypeVar("T")
RunId = Annotated[str, InPath(pattern="^[0-9a-f]{32}$", description="As `POST /runs` gave it.")]
PageLimit = Annotated[int, Query(ge=1, le=1000, description="At most so many, the newest first.")]
RETRY_HEADERS = {"Retry-After": "5"}
ResponseDescriptions = dict[int | str, dict[str, str]]
NOT_FOUND_RESPONSES: ResponseDescriptions = {404: {"description": "Nobody started or dropped it."}}
REFUSAL_RESPONSES: ResponseDescriptions = {
    **NOT_FOUND_RESPONSES,
    409: {"description": "Clips are under way."},
    422: {"description": "No sense in it."},
}


class Routes:
    """`device` chooses the model where none is asked for. Nobody waits for broker and store longer than
    `patience_seconds`: then it is 503, and what was asked may be asked again."""

    def __init__(self, state: PipelineState, device: str, scratch: Path | None, patience_seconds: float) -> None:
        self.state, self.device, self.scratch, self.patience_seconds = state, device, scratch, patience_seconds
        self._cached_fold_count = lru_cache(maxsize=1000)(self._count_folds)

    def build_router(self) -> APIRouter:
        router = APIRouter()
        router.add_api_route("/runs", self.start_run, methods=["POST"], status_code=202, responses=REFUSAL_RESPONSES)
        router.add_api_route("/runs", self.list_runs, methods=["GET"])
        router.add_api_route("/runs/{run}", self.show_run, methods=["GET"], responses=NOT_FOUND_RESPONSES)
        router.add_api_route(
            "/runs/{run}/{name}",
            self.send_report_file,
            methods=["GET"],
            responses=NOT_FOUND_RESPONSES,
            response_class=StreamingResponse,
        )
        router.add_api_route("/datasets", self.list_datasets, methods=["GET"])
        return router

    async def start_run(self, request: RunRequest, response: Response) -> RunAnswer:
        """Start a run. The same request is the same run: nothing is done twice; one that failed is tried again."""
        started = await self._with_snapshot(lambda known: self._start_requested_run(request, known))
        response.headers["Location"] = started.url
        return started

    async def list_runs(self, dataset: str | None = None, limit: PageLimit = 100) -> list[RunAnswer]:
        """All runs, asked for or started by a drop."""
        return await self._with_snapshot(
            lambda known: responses.list_run_answers(known, dataset, limit, self._cached_fold_count)
        )

    async def show_run(self, run: RunId) -> RunAnswer:
        """How far a run is."""
        return await self._with_snapshot(lambda known: self._run_answer(known, run))

    async def send_report_file(self, run: RunId, name: str) -> StreamingResponse:
        """A file of the report: report.html, report.json, predictions.csv, latex.tex, ...; or run.json."""
        file = await self._with_snapshot(lambda known: self._open_report_file(known, run, name))
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return StreamingResponse(_read_pieces(file), media_type=kind, headers={"X-Content-Type-Options": "nosniff"})

    async def list_datasets(self) -> list[DatasetAnswer]:
        """What was dropped and how far it is."""
        return await self._with_snapshot(lambda known: list(responses.list_dataset_answers(known)))

    async def _with_snapshot(self, work: Callable[[PipelineSnapshot], T]) -> T:
        """What `work` makes of the state, in a thread. Raises HTTPException: 503 for trouble, 500 for what somebody
        has to put right."""
        try:
            with anyio.fail_after(self.patience_seconds):
                return await anyio.to_thread.run_sync(
                    lambda: work(self.state.read_snapshot(self.patience_seconds)), abandon_on_cancel=True
                )
        except MerError as error:
            trouble = isinstance(error, Unavailable)
            raise HTTPException(503 if trouble else 500, str(error), RETRY_HEADERS if trouble else None) from error
        except Exception as error:
            if not is_transient(error):
                raise
            said = str(error) or f"Broker or store gave no answer within {self.patience_seconds:g} s."
            raise HTTPException(503, said, RETRY_HEADERS) from error

    def _start_requested_run(self, request: RunRequest, snapshot: PipelineSnapshot) -> RunAnswer:
        run, contents = request.resolve_run(snapshot, self.device)
        before = snapshot.results.get(run.id)
        if before is not None and before.status == "failed":
            self.state.bus.publish(RESULTS.name, before.key, None)
            before = None
        elif before is not None or run.id in snapshot.runs:
            return self._run_answer(snapshot, run.id)
        self.state.publish_run(run, contents)
        log.info("run started", extra={"mer": {"stage": "api", "key": run.id, "dataset": run.dataset}})
        return self._run_answer(self.state.read_snapshot(self.patience_seconds), run.id)

    def _run_answer(self, snapshot: PipelineSnapshot, run: str) -> RunAnswer:
        if found := responses.find_run_answer(snapshot, run, self._cached_fold_count):
            return found
        raise HTTPException(404, f"No run {run}; GET /runs lists those there are.")

    def _open_report_file(self, snapshot: PipelineSnapshot, run: str, name: str) -> IO[bytes]:
        """The file, without a name on disk. Raises HTTPException."""
        about = self._run_answer(snapshot, run)
        if name not in about.files:
            there = ", ".join(sorted(about.files)) or f"none, it is {about.state}"
            raise HTTPException(404, f"Run {run} has no file {name!r}; there are {there}.")
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            file = Path(folder) / "file"
            self.state.store.fetch_file(snapshot.results[run].files[name], file)
            return file.open("rb")

    def _count_folds(self, run: Run) -> int | None:
        """How many folds it has; None where nobody can tell."""
        try:
            contents, choice = definition.open_run(self.state.store, run)
            return len(definition.list_folds(contents.features, choice))
        except BadData:
            return None


def _read_pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece
