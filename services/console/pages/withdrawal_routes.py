"""The pages that remove a dataset or a person: what is going to be removed, and what became of it."""

from collections.abc import Mapping, Sequence

from fastapi import HTTPException
from fastapi.responses import RedirectResponse, Response
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from services.console.access.visitor import VISITOR
from services.console.pages.forms import read_fields
from services.console.pages.rendering import render_moment
from services.console.pages.status_feed import StatusFeed
from services.console.withdrawals.desk import WithdrawalBody, WithdrawalDesk


class WithdrawalPages:
    """A page to confirm a removal, and one that follows it."""

    def __init__(self, feed: StatusFeed, desk: WithdrawalDesk) -> None:
        self.feed, self.desk = feed, desk

    def list_routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/withdrawals/new", self.show_plan),
            Route("/withdrawals", self.request_withdrawal, methods=["POST"]),
            Route("/withdrawals/{withdrawal}", self.show_withdrawal),
        ]

    async def show_plan(self, request: Request) -> Response:
        """What would be removed, for people who may ask for it."""
        if not VISITOR.get().may_administer:
            raise HTTPException(403, "Expected the role administer, which may remove data.")
        body, moment = _read_body(request.query_params), await self.feed.read_moment()
        plan = await self.desk.reader.run_work(lambda: self.desk.plan_withdrawal(body))
        return render_moment("withdrawal_new.html.j2", moment, plan=plan)

    async def request_withdrawal(self, request: Request) -> Response:
        """To the page that follows the removal."""
        body = _read_body(await read_fields(request))
        asked = await self.desk.reader.run_work(lambda: self.desk.request_withdrawal(body))
        return RedirectResponse(asked.url, 303)

    async def show_withdrawal(self, request: Request) -> Response:
        """It loads itself again until the removal has ended."""
        moment, id = await self.feed.read_moment(), request.path_params["withdrawal"]
        answer = await self.desk.reader.run_work(lambda: self.desk.find_answer(id))
        page = render_moment("withdrawal.html.j2", moment, answer=answer)
        if answer.state == "waiting":
            page.headers["Refresh"] = "2"
        return page


def _read_body(fields: Mapping[str, str]) -> WithdrawalBody:
    return WithdrawalBody(dataset=fields.get("dataset", ""), subject=fields.get("subject", "").strip() or None)
