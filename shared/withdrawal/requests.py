"""A request of the console to remove a dataset or a person, and what became of it. Both lie in the store."""

import logging
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, Field

from shared.errors import BadData
from shared.records import Envelope
from shared.store import NotStored, Store

log = logging.getLogger(__name__)

WITHDRAWALS_PREFIX = "withdrawals/"
_REQUEST_FILE, _RESULT_FILE = "request.json", "result.json"


class WithdrawalRequest(Envelope):
    """A dataset, or one `subject` of it, that is to be removed. It is deleted once it is done: it names a person."""

    schema_name: Literal["mer.withdrawal-request/1"] = Field("mer.withdrawal-request/1", alias="schema")
    id: str = Field(default_factory=lambda: uuid.uuid4().hex, pattern="^[0-9a-f]{32}$")
    dataset: str
    subject: str | None = None
    attempts: int = Field(0, ge=0, description="how often the work has begun")
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> str:
        return f"{WITHDRAWALS_PREFIX}{self.id}/{_REQUEST_FILE}"


class WithdrawalResult(Envelope):
    """What became of a request, in `sentences`. It names no person."""

    schema_name: Literal["mer.withdrawal-result/1"] = Field("mer.withdrawal-result/1", alias="schema")
    id: str
    dataset: str
    refused: bool
    sentences: tuple[str, ...]
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> str:
        return f"{WITHDRAWALS_PREFIX}{self.id}/{_RESULT_FILE}"


def list_requests(store: Store) -> Iterator[WithdrawalRequest]:
    """The requests that are not done. One that cannot be read, as of a newer version, keeps no other one waiting."""
    for key in list(store.list_keys(WITHDRAWALS_PREFIX)):
        if key.endswith(f"/{_REQUEST_FILE}"):
            try:
                yield WithdrawalRequest.decode(store.get(key))
            except (BadData, NotStored) as fault:  # not stored: another process has just done it
                log.warning("%s: %s", key, fault)


def find_withdrawal(store: Store, id: str) -> WithdrawalRequest | WithdrawalResult:
    """What became of the request with this id, or the request if it waits. Raises NotStored if there is neither."""
    key = f"{WITHDRAWALS_PREFIX}{id}/"
    try:
        return WithdrawalResult.decode(store.get(key + _RESULT_FILE))
    except NotStored:
        return WithdrawalRequest.decode(store.get(key + _REQUEST_FILE))
