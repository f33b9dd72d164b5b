"""The routes of the API about the removal of datasets and persons."""

from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath

from services.console.api.refusals import describe_problem, describe_problems
from services.console.state_reader import StateReader
from services.console.withdrawals.desk import WithdrawalAnswer, WithdrawalBody, WithdrawalDesk

WithdrawalId = Annotated[str, InPath(pattern="^[0-9a-f]{32}$", description="The `id` that `POST /withdrawals` gave.")]


class WithdrawalApi:
    """Asks for removals and tells what became of them."""

    def __init__(self, reader: StateReader, desk: WithdrawalDesk) -> None:
        self.reader, self.desk = reader, desk

    def add_routes(self, router: APIRouter) -> None:
        unknown = describe_problems(422) | describe_problem(404, "There is no such dataset, person or removal.")
        asked = unknown | describe_problems(413)
        router.add_api_route(
            "/withdrawals", self.request_withdrawal, methods=["POST"], status_code=202, responses=asked
        )
        router.add_api_route("/withdrawals/{withdrawal}", self.show_withdrawal, methods=["GET"], responses=unknown)

    async def request_withdrawal(self, body: WithdrawalBody) -> WithdrawalAnswer:
        """Remove a dataset or a person from everywhere, as `mer forget` does. It cannot be undone."""
        return await self.reader.run_work(lambda: self.desk.request_withdrawal(body))

    async def show_withdrawal(self, withdrawal: WithdrawalId) -> WithdrawalAnswer:
        """What became of a removal."""
        return await self.reader.run_work(lambda: self.desk.find_answer(withdrawal))
