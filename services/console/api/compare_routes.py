"""The routes of the API about the course of runs: curves of one, and several compared."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.console.api.refusals import describe_problem, describe_problems
from services.console.api.routes import RunId
from services.console.runs.fold_curves import CurveReader, FoldCurve
from services.console.runs.run_comparison import MOST_RUNS, RunComparer, RunComparison
from services.console.state_reader import StateReader
from shared.pipeline_state import PipelineSnapshot

ComparedRuns = Annotated[
    list[str],
    Query(alias="run", description=f"The `id` of a run. 2 to {MOST_RUNS} of them; the first is the reference."),
]


class CompareApi:
    """Compares runs and sends their curves."""

    def __init__(self, reader: StateReader, comparer: RunComparer, curves: CurveReader) -> None:
        self.reader, self.comparer, self.curves = reader, comparer, curves

    def add_routes(self, router: APIRouter) -> None:
        refusals = describe_problems(404, 422) | describe_problem(409, "One of the runs is not done.")
        router.add_api_route("/runs/compare", self.compare_runs, methods=["GET"], responses=refusals)
        router.add_api_route(
            "/runs/{run}/curves", self.list_curves, methods=["GET"], responses=describe_problems(404, 422)
        )

    async def list_curves(self, run: RunId) -> list[FoldCurve]:
        """The folds of the run's model that are trained or finished, with loss and UF1 of each epoch so far."""

        def read_curves(snapshot: PipelineSnapshot) -> list[FoldCurve]:
            return self.curves.read_curves(snapshot, self.comparer.runs.find_answer(snapshot, run))

        return await self.reader.with_snapshot(read_curves)

    async def compare_runs(self, run: ComparedRuns) -> RunComparison:
        """Runs side by side: settings that differ, a paired test of their figures, and clips on which they differ."""
        return await self.reader.with_snapshot(lambda snapshot: self.comparer.compare_runs(snapshot, run))
