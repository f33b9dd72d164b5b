"""Says what a removal would remove, asks the service `withdrawal` for it, and tells what became of it."""

from dataclasses import dataclass
from typing import Literal

from fastapi import HTTPException
from pydantic import Field

from services.console.access.visitor import note_action
from services.console.state_reader import StateReader
from shared.records import FrozenModel
from shared.store import NotStored
from shared.withdrawal.requests import WithdrawalRequest, WithdrawalResult, find_withdrawal
from shared.withdrawal.scope import find_scope, list_clip_files, read_mark


class WithdrawalBody(FrozenModel):
    """A dataset that is to be removed from everywhere, or one person of it."""

    dataset: str = Field(description="Name of the dataset.")
    subject: str | None = Field(None, min_length=1, description="A person of it. Default: the whole dataset.")


class WithdrawalAnswer(FrozenModel):
    """What became of a removal, in `sentences`. `refused`: nothing was removed. No answer names the person."""

    id: str
    url: str
    dataset: str
    state: Literal["waiting", "done", "refused"]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class WithdrawalPlan:
    """What a removal would remove. `runs` trained on the dataset: those that rest on nothing else are removed."""

    dataset: str
    subject: str | None
    clips: int
    files: int
    runs: int


class WithdrawalDesk:
    """Takes requests. The console itself may delete neither uploads nor artifacts."""

    def __init__(self, reader: StateReader) -> None:
        self.reader = reader

    def plan_withdrawal(self, body: WithdrawalBody) -> WithdrawalPlan:
        """What a request would remove. Raises HTTPException 404 if nothing of it is known."""
        state, snapshot = self.reader.state, self.reader.read_snapshot()
        scope = find_scope(state.bus, state.store, body.dataset, body.subject)
        named = [each for each in snapshot.datasets.values() if each.name == body.dataset]
        clips = {identity for each in named for identity in each.clips if scope.covers(identity)}
        files = sum(1 for _ in list_clip_files(state.store, scope))
        if not (clips or files or (named and not body.subject) or read_mark(state.store, scope)):
            raise HTTPException(404, f"Expected something of {scope.title}, got nothing. GET /datasets lists datasets.")
        runs = {**snapshot.runs, **snapshot.results}.values()
        trained = sum(body.dataset in run.dataset.split("+") for run in runs)
        return WithdrawalPlan(body.dataset, body.subject, len(clips), files, trained)

    def request_withdrawal(self, body: WithdrawalBody) -> WithdrawalAnswer:
        """Ask the service `withdrawal`. Raises HTTPException as `plan_withdrawal`."""
        self.plan_withdrawal(body)
        request = WithdrawalRequest(dataset=body.dataset, subject=body.subject)
        self.reader.state.store.put(request.key, request.encode())
        part = "one person" if body.subject else "whole dataset"
        note_action("removal requested", object=body.dataset, part=part, withdrawal=request.id)
        return self.find_answer(request.id)

    def find_answer(self, id: str) -> WithdrawalAnswer:
        """What became of a request. Raises HTTPException 404."""
        try:
            found = find_withdrawal(self.reader.state.store, id)
        except NotStored:
            raise HTTPException(404, f"No removal {id} was requested.") from None
        state: Literal["waiting", "done", "refused"] = "waiting"
        if isinstance(found, WithdrawalResult):
            state = "refused" if found.refused else "done"
        sentences = found.sentences if isinstance(found, WithdrawalResult) else ()
        return WithdrawalAnswer(
            id=id, url=f"/withdrawals/{id}", dataset=found.dataset, state=state, sentences=sentences
        )
