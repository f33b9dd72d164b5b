"""The routes. Each reads the present state within a limit of time and answers from it."""

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

from services.console.api import responses
from services.console.api.responses import DatasetAnswer, RunAnswer
from services.console.api.run_request import RunRequest
from shared.bus.topics import RESULTS
from shared.errors import BadData, MerError, Unavailable
from shared.pipeline_state import PipelineSnapshot, PipelineState
from shared.records import Run
from shared.store import PIECE
from shared.training import definition
from shared.worker.retry import is_transient

log = logging.getLogger(__name__)

T = TypeVar("T")
RunId = Annotated[str, InPath(pattern="^[0-9a-f]{32}$", description="The `id` that `POST /runs` returned.")]
PageLimit = Annotated[int, Query(ge=1, le=1000, description="Maximum number of runs, the newest first.")]
RETRY_HEADERS = {"Retry-After": "5"}
ResponseDescriptions = dict[int | str, dict[str, str]]
NOT_FOUND_RESPONSES: ResponseDescriptions = {404: {"description": "There is no such run, file or dataset."}}
REFUSAL_RESPONSES: ResponseDescriptions = {
    **NOT_FOUND_RESPONSES,
    409: {"description": "Some clips have no features yet. Ask again later, or set `partial`."},
    422: {"description": "The request is invalid, or no run can be trained on these clips with these settings."},
}


class Routes:
    """All routes of the API. `device` selects the model of a request that names none.

    If broker and store need more than `timeout_seconds`, the answer is 503. The client may repeat the request.
    """

    def __init__(self, state: PipelineState, device: str, scratch: Path | None, timeout_seconds: float) -> None:
        self.state, self.device, self.scratch, self.timeout_seconds = state, device, scratch, timeout_seconds
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
        """Start a run. The same request is the same run, and nothing is computed twice. A failed run starts again."""
        started = await self._with_snapshot(lambda snapshot: self._start_requested_run(request, snapshot))
        response.headers["Location"] = started.url
        return started

    async def list_runs(self, dataset: str | None = None, limit: PageLimit = 100) -> list[RunAnswer]:
        """All runs, those that the trainer started by itself included."""
        return await self._with_snapshot(
            lambda snapshot: responses.list_run_answers(snapshot, dataset, limit, self._cached_fold_count)
        )

    async def show_run(self, run: RunId) -> RunAnswer:
        """The state of a run."""
        return await self._with_snapshot(lambda snapshot: self._run_answer(snapshot, run))

    async def send_report_file(self, run: RunId, name: str) -> StreamingResponse:
        """A file of a finished run, for example report.html, report.json, predictions.csv or run.json."""
        file = await self._with_snapshot(lambda snapshot: self._open_report_file(snapshot, run, name))
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return StreamingResponse(_read_pieces(file), media_type=kind, headers={"X-Content-Type-Options": "nosniff"})

    async def list_datasets(self) -> list[DatasetAnswer]:
        """The uploaded datasets and their progress."""
        return await self._with_snapshot(lambda snapshot: list(responses.list_dataset_answers(snapshot)))

    async def _with_snapshot(self, work: Callable[[PipelineSnapshot], T]) -> T:
        """The result of `work` on the present state, computed in a thread.

        Raises HTTPException: 503 if the broker or the store is away, 500 for an error that a person has to correct.
        """
        try:
            with anyio.fail_after(self.timeout_seconds):
                return await anyio.to_thread.run_sync(
                    lambda: work(self.state.read_snapshot(self.timeout_seconds)), abandon_on_cancel=True
                )
        except MerError as error:
            away = isinstance(error, Unavailable)
            raise HTTPException(503 if away else 500, str(error), RETRY_HEADERS if away else None) from error
        except Exception as error:
            if not is_transient(error):
                raise
            sentence = str(error) or f"The broker or the store did not answer within {self.timeout_seconds:g} s."
            raise HTTPException(503, sentence, RETRY_HEADERS) from error

    def _start_requested_run(self, request: RunRequest, snapshot: PipelineSnapshot) -> RunAnswer:
        run, contents = request.resolve_run(snapshot, self.device)
        result = snapshot.results.get(run.id)
        if result is not None and result.status == "failed":
            self.state.bus.publish(RESULTS.name, result.key, None)
        elif result is not None or run.id in snapshot.runs:
            return self._run_answer(snapshot, run.id)
        self.state.publish_run(run, contents)
        log.info("run started", extra={"mer": {"stage": "api", "key": run.id, "dataset": run.dataset}})
        return self._run_answer(self.state.read_snapshot(self.timeout_seconds), run.id)

    def _run_answer(self, snapshot: PipelineSnapshot, run: str) -> RunAnswer:
        if found := responses.find_run_answer(snapshot, run, self._cached_fold_count):
            return found
        raise HTTPException(404, f"No run {run}; GET /runs lists all runs.")

    def _open_report_file(self, snapshot: PipelineSnapshot, run: str, name: str) -> IO[bytes]:
        """The open file. It has no name on disk any more. Raises HTTPException 404."""
        answer = self._run_answer(snapshot, run)
        if name not in answer.files:
            known = ", ".join(sorted(answer.files)) or f"none, it is {answer.state}"
            raise HTTPException(404, f"Run {run} has no file {name!r}; there are {known}.")
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            file = Path(folder) / "file"
            self.state.store.fetch_file(snapshot.results[run].files[name], file)
            return file.open("rb")

    def _count_folds(self, run: Run) -> int | None:
        """The number of folds, None if the run's contents cannot be used."""
        try:
            contents, options = definition.open_run(self.state.store, run)
            return len(definition.list_folds(contents.features, options))
        except BadData:
            return None


def _read_pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece
