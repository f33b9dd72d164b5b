"""The loop that does what people ask for in the console: a dataset, or one person of it, is removed from everywhere."""

import logging
import threading
from collections.abc import Callable

from services.ingest.withdrawal.withdrawing import Withdrawer
from shared.errors import MerError
from shared.store import Store
from shared.telemetry import Metrics
from shared.withdrawal.requests import WithdrawalRequest, WithdrawalResult, find_withdrawal, list_requests
from shared.worker.retry import is_transient

log = logging.getLogger(__name__)

WITHDRAWAL_NAME = "withdrawal"  # of its heartbeat
POLL_SECONDS = 2.0
MOST_ATTEMPTS = 3  # sheets are read to find a person's files. One that kills the process must not do so for ever


class WithdrawalLoop:
    """A `shared.worker.process.Loop`. A request that was interrupted begins again, since a removal may be repeated."""

    def __init__(
        self,
        store: Store,
        open_withdrawer: Callable[[], Withdrawer],
        stopping: threading.Event,
        metrics: Metrics | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.store, self.open_withdrawer = store, open_withdrawer
        self.stopping, self.metrics = stopping, metrics or Metrics()
        self.on_end = on_end  # called after each request

    def run(self) -> None:
        """Look for requests until `stopping` is set."""
        while not self.stopping.is_set():
            self.metrics.heartbeat.labels(WITHDRAWAL_NAME).set_to_current_time()
            try:
                self.serve_requests()
            except Exception as error:
                log.warning("withdrawals failed: %r", error, exc_info=None if is_transient(error) else error)
                self.metrics.retries.labels(WITHDRAWAL_NAME).inc()
            self.stopping.wait(POLL_SECONDS)

    def is_ready(self) -> bool:
        return True

    def is_stalled(self) -> bool:
        return False

    def serve_requests(self) -> None:
        """Do what was asked for. The result comes first, then the request is deleted."""
        store = self.store
        for request in list_requests(store):
            if isinstance(find_withdrawal(store, request.id), WithdrawalRequest):
                result = self._serve_request(request)
                store.put(result.key, result.encode())
            store.delete(request.key)
            self.on_end()
            log.info("withdrawal ended", extra={"mer": {"stage": WITHDRAWAL_NAME, "key": request.id}})

    def _serve_request(self, request: WithdrawalRequest) -> WithdrawalResult:
        """Raises errors of the way to bus and store, which do not count as an attempt."""
        store = self.store
        if request.attempts >= MOST_ATTEMPTS:
            sentence = f"It ended early {MOST_ATTEMPTS} times. `mer forget` does the same and says why."
            return _compose_result(request, [sentence], refused=True)
        store.put(request.key, request.model_copy(update={"attempts": request.attempts + 1}).encode())
        try:
            done = self.open_withdrawer().withdraw_scope(request.dataset, request.subject)
            return _compose_result(request, list(done))
        except Exception as error:
            if is_transient(error):
                store.put(request.key, request.encode())
            elif isinstance(error, MerError):
                return _compose_result(request, [str(error)], refused=True)
            raise


def _compose_result(request: WithdrawalRequest, sentences: list[str], refused: bool = False) -> WithdrawalResult:
    """Without the name of the person, since the result stays."""
    if request.subject and refused:
        sentences = [each.replace(f"subject {request.subject}", "the person") for each in sentences]
        sentences = [each.replace(f"without {request.subject} ", "without the person ") for each in sentences]
    return WithdrawalResult(id=request.id, dataset=request.dataset, refused=refused, sentences=tuple(sentences))
