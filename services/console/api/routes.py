"""The routes of the API. Each reads the present state within a limit of time and answers from it."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import RedirectResponse, StreamingResponse

from services.console.access.visitor import note_action
from services.console.api import responses
from services.console.api.refusals import describe_problem, describe_problems
from services.console.api.responses import DatasetAnswer, RunAnswer
from services.console.api.run_request import RunRequest
from services.console.cursor_pages import Cursor, cut_page, link_next
from services.console.problems import wants_page
from services.console.runs.run_deleter import DELETION_SECONDS, RunDeleter
from services.console.runs.run_reader import RunReader
from services.console.runs.run_starter import RunStarter
from services.console.state_reader import StateReader
from services.console.stored_files import stream_file
from shared.pipeline_state import PipelineSnapshot

RunId = Annotated[str, InPath(pattern="^[0-9a-f]{32}$", description="The `id` that `POST /runs` returned.")]
RunLimit = Annotated[int, Query(ge=1, le=1000, description="Maximum number of runs, the newest first.")]
DatasetLimit = Annotated[int, Query(ge=1, le=1000, description="Maximum number of datasets, the newest first.")]
REPORT_FILE = {
    "description": "The file. Its type follows from its name.",
    "content": {"*/*": {}},
}


class ApiRoutes:
    """Routes about runs and datasets."""

    def __init__(self, reader: StateReader, runs: RunReader, starter: RunStarter, deleter: RunDeleter) -> None:
        self.reader, self.runs, self.starter, self.deleter = reader, runs, starter, deleter

    def build_router(self, starts_runs: bool) -> APIRouter:
        router, unknown = APIRouter(), describe_problems(404, 422)
        if starts_runs:
            refusals = describe_problems(404, 409, 413, 422)
            router.add_api_route("/runs", self.start_run, methods=["POST"], status_code=202, responses=refusals)
            router.add_api_route(
                "/runs/{run}/cancel",
                self.cancel_run,
                methods=["POST"],
                status_code=202,
                response_model=RunAnswer,
                responses=describe_problems(404, 413, 422) | describe_problem(409, "The run has ended already."),
            )
        router.add_api_route(
            "/runs/{run}", self.delete_run, methods=["DELETE"], status_code=204, responses=describe_problems(404, 422)
        )
        router.add_api_route("/runs", self.list_runs, methods=["GET"], responses=describe_problems(422))
        router.add_api_route("/runs/{run}", self.show_run, methods=["GET"], responses=unknown)
        router.add_api_route(
            "/runs/{run}/{name}",
            self.send_report_file,
            methods=["GET"],
            responses={**unknown, 200: REPORT_FILE},
            response_class=StreamingResponse,
        )
        router.add_api_route("/datasets", self.list_datasets, methods=["GET"], responses=describe_problems(422))
        return router

    async def start_run(self, request: RunRequest, response: Response) -> RunAnswer:
        """Start a run. The same request is the same run, and nothing is computed twice.

        A run that failed or was cancelled starts again.
        """
        started = await self.reader.run_work(lambda: self.starter.start_run(request))
        response.headers["Location"] = started.url
        return started

    async def list_runs(
        self,
        request: Request,
        response: Response,
        dataset: str | None = None,
        limit: RunLimit = 100,
        cursor: Cursor = "",
    ) -> list[RunAnswer]:
        """All runs, those that the trainer started by itself included. The header `Link` names the next page."""

        def list_page(snapshot: PipelineSnapshot) -> list[RunAnswer]:
            every = responses.order_runs(snapshot, dataset)
            page = cut_page(every, responses.locate_run, limit, cursor, descending=True)
            link_next(response, request, page)
            return self.runs.list_answers(snapshot, page.rows)

        return await self.reader.with_snapshot(list_page)

    async def show_run(self, run: RunId) -> RunAnswer:
        """The state of a run."""
        return await self.reader.with_snapshot(lambda snapshot: self.runs.find_answer(snapshot, run))

    async def cancel_run(self, run: RunId, request: Request) -> RunAnswer | RedirectResponse:
        """End a run that is planned or training. Its folds stop within seconds; those that are trained stay stored.

        A form of a page gets the run's page. The same request for a run starts it again.
        """
        cancelled = await self.reader.with_snapshot(lambda snapshot: self._cancel_unfinished_run(run, snapshot))
        return RedirectResponse(cancelled.url, 303) if wants_page(request.scope) else cancelled

    async def delete_run(self, run: RunId) -> None:
        """Delete a run: its report, its folds and its records. One that is planned or training ends first.

        It does not start again by itself. The same request for a run computes it anew. A deletion may be repeated.
        """
        await self.reader.run_work(lambda: self.deleter.delete_run(run), DELETION_SECONDS)

    async def send_report_file(self, run: RunId, name: str) -> StreamingResponse:
        """A file of a finished run, for example report.html, report.json, predictions.csv or run.json."""
        file = await self.reader.with_snapshot(lambda snapshot: self.runs.open_file(snapshot, run, name))
        return stream_file(file, name)

    async def list_datasets(
        self, request: Request, response: Response, limit: DatasetLimit = 1000, cursor: Cursor = ""
    ) -> list[DatasetAnswer]:
        """The uploaded datasets and their progress. The header `Link` names the next page."""

        def list_page(snapshot: PipelineSnapshot) -> list[DatasetAnswer]:
            page = cut_page(snapshot.datasets.values(), responses.locate_dataset, limit, cursor, descending=True)
            link_next(response, request, page)
            return [responses.describe_dataset(snapshot, dataset) for dataset in page.rows]

        return await self.reader.with_snapshot(list_page)

    def _cancel_unfinished_run(self, run_id: str, snapshot: PipelineSnapshot) -> RunAnswer:
        answer, run = self.runs.find_answer(snapshot, run_id), snapshot.runs.get(run_id)
        if answer.state not in ("planned", "training") or run is None:
            raise HTTPException(409, f"Run {run_id} is {answer.state}. Only one that has not ended can be cancelled.")
        self.reader.state.cancel_run(run, "Somebody cancelled it in the console. The same request starts it again.")
        note_action("run cancelled", object=run.id, dataset=run.dataset)
        return self.runs.find_answer(self.reader.read_snapshot(), run_id)
