"""Whether a run was cancelled, asked of the store now and then."""

import time
from collections.abc import Callable
from contextlib import suppress

from shared.errors import Unavailable
from shared.records import Run
from shared.store import Store

ASK_SECONDS = 5.0  # a training step takes milliseconds, a request to a store tens of them


class CancellationWatch:
    """Answers at every training step, and asks the store at most every `ask_seconds`. A cancelled run stays so here."""

    def __init__(
        self,
        store: Store,
        run: Run,
        ask_seconds: float = ASK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store, self.run, self.ask_seconds, self.clock = store, run, ask_seconds, clock
        self._cancelled, self._next = False, clock()

    def is_cancelled(self) -> bool:
        """False also while the store is away: a training needs none between its checkpoints."""
        if not self._cancelled and (now := self.clock()) >= self._next:
            with suppress(Unavailable):
                self._cancelled = self.store.exists(self.run.cancellation_key)
            self._next = now + self.ask_seconds
        return self._cancelled
