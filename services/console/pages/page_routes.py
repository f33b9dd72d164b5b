"""The routes of the pages. Each fills a template from the newest moment of the feed."""

from collections.abc import Callable, Sequence
from typing import IO, Any

from fastapi import HTTPException
from fastapi.responses import Response, StreamingResponse
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from services.console.api.responses import DatasetAnswer, list_dataset_answers, locate_run, order_runs
from services.console.pages.group_work import WORK_BY_GROUP
from services.console.pages.listing import LONGEST_SEARCH, select_rows
from services.console.pages.rendering import STATIC_FOLDER, render_moment
from services.console.pages.status_feed import Moment, StatusFeed
from services.console.pages.video_address import locate_video, name_video
from services.console.runs.run_reader import RunReader
from services.console.state_reader import StateReader
from services.console.stored_files import open_stored_file, stream_file
from shared.pipeline_state import PipelineSnapshot
from shared.prediction.page.view import VIEW_FOLDER
from shared.records import Run, RunResult

SHOWN_AT_HOME = 8  # rows of each list


class PageRoutes:
    """The lists and the page of a dataset. `feed` has what they show, and `runs` what lies in files.

    `run_folder` is the folder of an embedded run, "" for a stack: commands on the pages name it.
    """

    def __init__(self, feed: StatusFeed, reader: StateReader, runs: RunReader, run_folder: str) -> None:
        self.feed, self.reader, self.runs, self.run_folder = feed, reader, runs, run_folder

    def list_routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/", self.show_home),
            Route("/events", self.stream_events),
            Route("/datasets", self.show_datasets),
            Route("/datasets/{name:path}", self.show_dataset),
            Route("/runs", self.show_runs),
            Route("/runs/{run}/{name}", self.send_report_file),
            Route("/videos", self.show_videos),
            Route("/videos/{video}/{name}", self.send_prediction_file),
            Mount("/static/view", StaticFiles(directory=VIEW_FOLDER)),
            Mount("/static", StaticFiles(directory=STATIC_FOLDER)),
        ]

    async def show_home(self, request: Request) -> Response:
        moment = await self.feed.read_moment()
        newest = order_runs(moment.snapshot)
        runs = await self.reader.run_work(lambda: self.runs.list_answers(moment.snapshot, newest[:SHOWN_AT_HOME]))
        return self._render(
            "home.html.j2",
            moment,
            groups=moment.status.groups,
            work=WORK_BY_GROUP,
            datasets=moment.status.datasets[::-1],
            videos=moment.status.videos[::-1],
            runs=runs,
            run_count=len(newest),
            letters=moment.letters,
            shown=SHOWN_AT_HOME,
        )

    async def stream_events(self, request: Request) -> Response:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # a proxy passes each event on at once
        return StreamingResponse(self.feed.open_stream(), media_type="text/event-stream", headers=headers)

    async def show_datasets(self, request: Request) -> Response:
        moment = await self.feed.read_moment()
        found = select_rows(
            moment.status.datasets,
            request.query_params,
            lambda each: each.dataset,
            lambda each: (each.created, each.dataset, each.pipeline),
            descending=True,
        )
        return self._render("datasets.html.j2", moment, listing=found)

    async def show_dataset(self, request: Request) -> Response:
        moment, name = await self.feed.read_moment(), request.path_params["name"].replace("%2E", ".")
        answers = await self.reader.run_work(lambda: _find_datasets(moment.snapshot, name))
        if not answers and "sent" not in request.query_params:  # the page of an upload is there before it is read
            raise HTTPException(404, f"No dataset {name!r} was uploaded; /datasets lists all of them.")
        runs = select_rows(
            _find_runs_on(moment.snapshot, name),
            request.query_params,
            lambda each: each.key,
            locate_run,
            descending=True,
        )
        lost = {each.pipeline: each.lost for each in moment.status.datasets if each.dataset == name}
        return self._render(
            "dataset.html.j2",
            moment,
            name=name,
            answers=answers,
            datasets={each.pipeline.digest: each for each in moment.snapshot.datasets.values() if each.name == name},
            lost=lost,
            listing=runs,
            runs=await self._list_answers(moment, runs.rows),
        )

    async def show_runs(self, request: Request) -> Response:
        moment = await self.feed.read_moment()
        found = select_rows(
            order_runs(moment.snapshot),
            request.query_params,
            lambda each: f"{each.dataset} {each.model} {each.key}",
            locate_run,
            descending=True,
        )
        runs, deleted = await self._list_answers(moment, found.rows), request.query_params.get("deleted", "")
        return self._render("runs.html.j2", moment, listing=found, runs=runs, deleted=deleted[:LONGEST_SEARCH])

    async def send_report_file(self, request: Request) -> Response:
        run, name = request.path_params["run"], request.path_params["name"]
        return await self._send_file(lambda snapshot: self.runs.open_file(snapshot, run, name), name)

    async def show_videos(self, request: Request) -> Response:
        moment = await self.feed.read_moment()
        found = select_rows(
            moment.status.videos, request.query_params, lambda each: each.video, locate_video, descending=True
        )
        return self._render("videos.html.j2", moment, listing=found, name_video=name_video)

    async def send_prediction_file(self, request: Request) -> Response:
        video, name = request.path_params["video"], request.path_params["name"]
        moment = await self.feed.read_moment()
        keys = {each.files[name] for each in moment.status.videos if name_video(each) == video and name in each.files}
        if not keys:
            raise HTTPException(404, f"No video has a file {name!r} at this address; /videos lists all of them.")
        return await self._send_file(lambda _: self._open_file(min(keys)), name)

    def _open_file(self, key: str) -> IO[bytes]:
        return open_stored_file(self.runs.store, key, self.runs.scratch)

    async def _send_file(self, open_file: Callable[[PipelineSnapshot], IO[bytes]], name: str) -> Response:
        return stream_file(await self.reader.with_snapshot(open_file), name)

    async def _list_answers(self, moment: Moment, runs: Sequence[Any]) -> Sequence[Any]:
        return await self.reader.run_work(lambda: self.runs.list_answers(moment.snapshot, runs))

    def _render(self, template: str, moment: Moment, **values: Any) -> Response:
        return render_moment(template, moment, run_folder=self.run_folder, **values)


def _find_datasets(snapshot: PipelineSnapshot, name: str) -> list[DatasetAnswer]:
    """The uploads of a dataset, one for each pipeline."""
    return [answer for answer in list_dataset_answers(snapshot) if answer.name == name]


def _find_runs_on(snapshot: PipelineSnapshot, name: str) -> list[Run | RunResult]:
    """The runs on a dataset, alone or pooled with others."""
    return [run for run in order_runs(snapshot) if name in run.dataset.split("+")]
