"""Retries: which errors are worth another attempt, and how long to wait before it."""

import random
from collections.abc import Callable
from typing import TypeVar

from shared.errors import Unavailable
from shared.settings import Settings

R = TypeVar("R")


def is_transient(error: Exception) -> bool:
    """Whether time may repair it: broker, store, disk, memory (torch's too, without importing torch)."""
    return isinstance(error, Unavailable | OSError | MemoryError) or type(error).__name__ in {
        "OutOfMemoryError",
        "OperationalError",
    }


def backoff_seconds(settings: Settings, attempt: int) -> float:
    """Seconds to wait after the failed attempt of this number, from 1: doubled up to the cap, with jitter."""
    longest = min(settings.retry_cap_seconds, settings.retry_base_seconds * 2 ** min(attempt - 1, 20))
    return random.uniform(longest / 2, longest)


def retry_until(action: Callable[[int], R], wait_or_raise: Callable[[int, Exception], None]) -> R:
    """Call `action` with the number of the attempt, from 1, until it returns.

    After a transient error, `wait_or_raise` gets the number and the error. It waits, or raises to end the attempts.
    Any other error is raised at once.
    """
    attempt = 1
    while True:
        try:
            return action(attempt)
        except Exception as error:
            if not is_transient(error):
                raise
            wait_or_raise(attempt, error)
        attempt += 1
