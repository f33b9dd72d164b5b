"""The page of a run with what deletes it, and the form that starts one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from services.console.pages.forms import read_fields
from services.console.pages.rendering import render_moment
from services.console.pages.run_form import fill_form, find_wrong_field, list_groups, read_request
from services.console.pages.status_feed import StatusFeed
from services.console.runs.fold_curves import CurveReader, draw_lines
from services.console.runs.run_deleter import DELETION_SECONDS, RunDeleter
from services.console.runs.run_starter import RunStarter


@dataclass(frozen=True)
class CurveChart:
    """Lines of all folds in one chart. `top` is the value at its upper edge."""

    title: str
    series: Sequence[Sequence[float]]
    top: float

    @property
    def epochs(self) -> int:
        return max(map(len, self.series), default=0)

    @property
    def lines(self) -> list[str]:
        """The points of each line, in a chart of 320 x 120."""
        return draw_lines(self.series, self.top or 1, 320, 120)


class RunPages:
    """The page of a run, and the form. An embedded run, in `run_folder`, has none: nobody would train what it asks."""

    def __init__(
        self, feed: StatusFeed, starter: RunStarter, deleter: RunDeleter, curves: CurveReader, run_folder: str
    ) -> None:
        self.feed, self.starter, self.deleter, self.curves = feed, starter, deleter, curves
        self.run_folder = run_folder

    def list_routes(self) -> Sequence[BaseRoute]:
        form = [Route("/runs/new", self.show_form), Route("/runs/new", self.start_run, methods=["POST"])]
        return [
            *([] if self.run_folder else form),
            Route("/runs/{run}", self.show_run),
            Route("/runs/{run}/delete", self.delete_run, methods=["POST"]),
        ]

    async def show_run(self, request: Request) -> Response:
        moment, run = await self.feed.read_moment(), request.path_params["run"]

        def read_page() -> dict[str, Any]:
            answer = self.starter.runs.find_answer(moment.snapshot, run)
            details = self.starter.runs.read_details(moment.snapshot, run)
            return {"run": answer, "details": details, "folds": self.curves.read_curves(moment.snapshot, answer)}

        page = await self.starter.reader.run_work(read_page)
        trained = [fold for fold in page["folds"] if fold.loss]
        charts = [
            CurveChart("loss", [fold.loss for fold in trained], max((max(fold.loss) for fold in trained), default=1)),
            CurveChart("UF1, training subjects", [fold.uf1 for fold in trained], 1),
        ]
        return render_moment("run.html.j2", moment, charts=charts, trained=trained, run_folder=self.run_folder, **page)

    async def delete_run(self, request: Request) -> Response:
        """To the list of runs, which says what was deleted."""
        run = request.path_params["run"]
        await self.starter.reader.run_work(lambda: self.deleter.delete_run(run), DELETION_SECONDS)
        self.feed.expire_moment()
        return RedirectResponse(f"/runs?deleted={run}", 303)

    async def show_form(self, request: Request) -> Response:
        """An empty form, or with `repeat` one filled from a run, or with `dataset` one that chooses it."""
        repeated, query = request.query_params.get("repeat"), request.query_params
        if not repeated:
            return await self._render_form(
                ImmutableMultiDict([("datasets", name) for name in query.getlist("dataset")])
            )
        moment, runs = await self.feed.read_moment(), self.starter.runs
        answer = await self.starter.reader.run_work(lambda: runs.find_answer(moment.snapshot, repeated))
        details = await self.starter.reader.run_work(lambda: runs.read_details(moment.snapshot, repeated))
        return await self._render_form(fill_form(answer, details), repeated=answer)

    async def start_run(self, request: Request) -> Response:
        """To the page of the run. A refusal shows the form as it was filled."""
        form = await read_fields(request)
        try:
            asked = read_request(form)
            run = await self.starter.reader.run_work(lambda: self.starter.start_run(asked))
        except HTTPException as refusal:
            return await self._render_form(form, refusal)
        self.feed.expire_moment()
        return RedirectResponse(run.url, 303)

    async def _render_form(
        self, form: ImmutableMultiDict[str, str], refusal: HTTPException | None = None, repeated: object = None
    ) -> Response:
        moment = await self.feed.read_moment()
        sentence = str(refusal.detail) if refusal else ""
        uploads = sorted(moment.snapshot.datasets.values(), key=lambda each: each.created, reverse=True)
        return render_moment(
            "run_new.html.j2",
            moment,
            refusal.status_code if refusal else 200,
            form=form,
            filled={name for name, value in form.items() if value.strip()},
            chosen=form.getlist("datasets"),
            groups=list_groups(),
            names=list(dict.fromkeys(each.name for each in uploads)),
            states={each.dataset: each for each in moment.status.datasets},
            pipelines={each.pipeline.digest: each.pipeline.profile for each in uploads},
            refusal=sentence,
            wrong=find_wrong_field(sentence),
            repeated=repeated,
        )
