"""The routes of the API about dead letters."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath

from services.console.api.refusals import describe_problem, describe_problems
from services.console.cursor_pages import Cursor, cut_page, link_next
from services.console.letter_desk import (
    LetterAnswer,
    LetterDesk,
    LetterDetail,
    LetterOutcome,
    LetterSelection,
    describe_summary,
    find_summaries,
)
from services.console.pages.status_feed import StatusFeed
from services.console.stored_files import POWERLESS_HEADERS

LetterId = Annotated[str, InPath(pattern="^[0-9a-f]{8}$", description="The `id` of the letter.")]
LetterSearch = Annotated[str, Query(max_length=200, description="Part of a group, a name or an id.")]
LetterLimit = Annotated[int, Query(ge=1, le=10_000, description="Maximum number of letters, the newest first.")]
GONE = {404: "There is no such dead letter any more."}


class LetterApi:
    """Reads, replays and discards dead letters, as `mer dead-letters` does."""

    def __init__(self, feed: StatusFeed, desk: LetterDesk) -> None:
        self.feed, self.desk = feed, desk

    def add_routes(self, router: APIRouter) -> None:
        gone = describe_problem(404, GONE[404])
        wrong = describe_problems(422) | gone
        router.add_api_route("/dead-letters", self.list_letters, methods=["GET"], responses=describe_problems(422))
        router.add_api_route("/dead-letters/replay", self.replay_letters, methods=["POST"], responses=wrong)
        router.add_api_route("/dead-letters/discard", self.discard_letters, methods=["POST"], responses=wrong)
        router.add_api_route("/dead-letters/{letter}", self.show_letter, methods=["GET"], responses=wrong)
        router.add_api_route(
            "/dead-letters/{letter}/frame",
            self.send_frame,
            methods=["GET"],
            responses={
                **wrong,
                200: {
                    "description": "The file.",
                    "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
                },
            },
            response_class=Response,
        )

    async def list_letters(
        self,
        request: Request,
        response: Response,
        search: LetterSearch = "",
        limit: LetterLimit = 100,
        cursor: Cursor = "",
    ) -> Sequence[LetterAnswer]:
        """The dead letters of all groups. The header `Link` names the next page."""
        moment = await self.feed.read_moment()
        found = find_summaries(moment.letters, search)
        page = cut_page(found, lambda each: each.position, limit, cursor, descending=True)
        link_next(response, request, page)
        return [describe_summary(each) for each in page.rows]

    async def show_letter(self, letter: LetterId) -> LetterDetail:
        """A dead letter with its message, and whether it may be replayed."""
        detail, *_ = await self.desk.reader.run_work(lambda: self.desk.describe_letter(letter))
        return detail

    async def send_frame(self, letter: LetterId) -> Response:
        """The file of the frame that the reason names, as it was uploaded. The clip's first file if it names none."""
        frame, data = await self.desk.reader.run_work(lambda: self.desk.read_frame(letter))
        return Response(data, media_type=frame.media_type, headers=POWERLESS_HEADERS)

    async def replay_letters(self, selection: LetterSelection) -> LetterOutcome:
        """Put messages back on their topics and remove their dead letters. One about replaced data is refused."""
        return await self.desk.reader.run_work(lambda: self.desk.replay(selection))

    async def discard_letters(self, selection: LetterSelection) -> LetterOutcome:
        """Delete dead letters whose messages are no longer needed."""
        return await self.desk.reader.run_work(lambda: self.desk.discard(selection))
