"""The pages of dead letters, and what their forms do."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi.responses import RedirectResponse, Response
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from services.console.clips.clip_reader import clip_address
from services.console.letter_desk import LetterDesk, LetterOutcome, LetterSelection
from services.console.pages.forms import read_fields
from services.console.pages.group_work import WORK_BY_GROUP
from services.console.pages.listing import LONGEST_SEARCH, select_rows
from services.console.pages.rendering import render_moment
from services.console.pages.status_feed import StatusFeed
from shared.pipeline_state import PipelineSnapshot
from shared.records import Record


class LetterPages:
    """The list of dead letters and the page of one. `run_folder` is that of an embedded run, "" for a stack."""

    def __init__(self, feed: StatusFeed, desk: LetterDesk, run_folder: str) -> None:
        self.feed, self.desk, self.run_folder = feed, desk, run_folder

    def list_routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/dead-letters", self.show_letters),
            Route("/dead-letters/replay", self.replay_chosen, methods=["POST"]),
            Route("/dead-letters/discard", self.discard_chosen, methods=["POST"]),
            Route("/dead-letters/{letter}", self.show_letter),
        ]

    async def show_letters(self, request: Request) -> Response:
        return await self._render_list(request.query_params)

    async def show_letter(self, request: Request) -> Response:
        moment, id = await self.feed.read_moment(), request.path_params["letter"]
        letter, record, frame = await self.desk.reader.run_work(lambda: self.desk.describe_letter(id))
        return render_moment(
            "dead_letter.html.j2",
            moment,
            letter=letter,
            record=record,
            clip_url=_find_clip(moment.snapshot, record) if record else "",
            frame=frame,
            work=WORK_BY_GROUP,
            run_folder=self.run_folder,
        )

    async def replay_chosen(self, request: Request) -> Response:
        return await self._change_chosen(request, self.desk.replay, "replayed")

    async def discard_chosen(self, request: Request) -> Response:
        return await self._change_chosen(request, self.desk.discard, "discarded")

    async def _change_chosen(
        self, request: Request, change: Callable[[LetterSelection], LetterOutcome], verb: str
    ) -> Response:
        """Back to the list, with the number of letters. What was refused is answered with the sentences."""
        form = await read_fields(request)
        search = form.get("search", "")[:LONGEST_SEARCH]
        selection = LetterSelection(search=search) if "all" in form else LetterSelection(ids=tuple(form.getlist("id")))
        if selection.search is None and not selection.ids:
            return await self._render_list(form, 422, message="No dead letter is chosen. Tick at least one.")
        outcome = await self.desk.reader.run_work(lambda: change(selection))
        self.feed.expire_moment()
        if outcome.refused:
            return await self._render_list(form, 409, outcome=outcome, verb=verb)
        return RedirectResponse("/dead-letters?" + urlencode({"search": search, verb: len(outcome.done)}), 303)

    async def _render_list(self, query: Mapping[str, str], status: int = 200, **values: Any) -> Response:
        moment = await self.feed.read_moment()
        found = select_rows(
            moment.letters, query, lambda each: each.searched_text, lambda each: each.position, descending=True
        )
        counts = {verb: query.get(verb, "") for verb in ("replayed", "discarded")}
        values.setdefault("done", {verb: text for verb, text in counts.items() if text.isdecimal() and len(text) < 7})
        return render_moment(
            "dead_letters.html.j2",
            moment,
            status,
            listing=found,
            run_folder=self.run_folder,
            **{"outcome": None, "message": "", "verb": "", **values},
        )


def _find_clip(snapshot: PipelineSnapshot, record: Record) -> str:
    """The address of the clip's page, "" if its dataset is not uploaded any more."""
    identity = record.sample.identity
    return clip_address(identity) if any(identity in each.clips for each in snapshot.datasets.values()) else ""
