"""The page that shows runs side by side."""

from collections.abc import Collection, Sequence

from fastapi.responses import Response
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from services.console.clips.clip_reader import clip_address
from services.console.pages.listing import select_rows
from services.console.pages.rendering import render_moment
from services.console.pages.status_feed import StatusFeed
from services.console.runs.run_comparison import RunComparer
from shared.records import quote_segment

FIGURE_TITLES = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy", "au_f1": "AU F1"}


class ComparePages:
    """Compares the runs that were ticked in the list of runs."""

    def __init__(self, feed: StatusFeed, comparer: RunComparer) -> None:
        self.feed, self.comparer = feed, comparer

    def list_routes(self) -> Sequence[BaseRoute]:
        return [Route("/runs/compare", self.show_comparison)]

    async def show_comparison(self, request: Request) -> Response:
        moment, chosen = await self.feed.read_moment(), request.query_params.getlist("run")
        found = await self.feed.reader.run_work(lambda: self.comparer.compare_runs(moment.snapshot, chosen))
        kept = [("run", run.id) for run in found.runs]
        disputed = select_rows(
            found.disputed, request.query_params, lambda each: each.clip, lambda each: (each.clip,), kept=kept
        )
        uploaded = {each.name for each in moment.snapshot.datasets.values()}
        return render_moment(
            "compare.html.j2",
            moment,
            comparison=found,
            listing=disputed,
            links={each.clip: _find_address(each.clip, uploaded) for each in disputed.rows},
            titles=FIGURE_TITLES,
            letters="ABCDE",
        )


def _find_address(clip: str, uploaded: Collection[str]) -> str:
    """The address of a clip that predictions name as dataset/subject/clip, "" for one of a table."""
    parts = clip.split("/")
    known = len(parts) == 3 and parts[0] in uploaded
    return clip_address("/".join(map(quote_segment, parts))) if known else ""
