"""Work on bus and store in a thread, within a limit of time. Trouble becomes an HTTP error."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio
import anyio.to_thread
from fastapi import HTTPException

from shared.errors import MerError, Unavailable
from shared.pipeline_state import PipelineSnapshot, PipelineState
from shared.worker.retry import is_transient

T = TypeVar("T")
RETRY_HEADERS = {"Retry-After": "5"}


@contextmanager
def hold_lock(lock: threading.Lock, patience_seconds: float) -> Iterator[None]:
    """Hold a lock that bounds memory. Raises Unavailable if others hold it for longer than `patience_seconds`."""
    if not lock.acquire(timeout=patience_seconds):
        raise Unavailable("The console is busy with another request of this kind. Ask again.")
    try:
        yield
    finally:
        lock.release()


class StateReader:
    """Reads the present state. If broker and store need more than `timeout_seconds`, the answer is 503.

    The client may repeat the request.
    """

    def __init__(self, state: PipelineState, timeout_seconds: float) -> None:
        self.state, self.timeout_seconds = state, timeout_seconds

    async def with_snapshot(self, work: Callable[[PipelineSnapshot], T]) -> T:
        """The result of `work` on the present state. Raises as `run_work`."""
        return await self.run_work(lambda: work(self.read_snapshot()))

    def read_snapshot(self) -> PipelineSnapshot:
        """The present state, for code that runs in a thread. Raises Unavailable."""
        return self.state.read_snapshot(self.timeout_seconds)

    async def run_work(self, work: Callable[[], T], timeout_seconds: float | None = None) -> T:
        """The result of `work`, computed in a thread. It may take longer than other work if `timeout_seconds` is given.

        Raises HTTPException: 503 if the broker or the store is away, 500 for an error that a person has to correct.
        """
        limit = timeout_seconds or self.timeout_seconds
        try:
            with anyio.fail_after(limit):
                return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        except MerError as error:
            away = isinstance(error, Unavailable)
            raise HTTPException(503 if away else 500, str(error), RETRY_HEADERS if away else None) from error
        except Exception as error:
            if not is_transient(error):
                raise
            sentence = str(error) or f"The broker or the store did not answer within {limit:g} s."
            raise HTTPException(503, sentence, RETRY_HEADERS) from error
