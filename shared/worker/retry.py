"""How trouble is waited out: what counts as trouble, and how long until the next attempt."""

import random

from shared.errors import Unavailable
from shared.settings import Settings


def is_transient(error: Exception) -> bool:
    """Trouble around a record, which time may mend: broker, store, disk, memory (torch's too, without importing it)."""
    return isinstance(error, Unavailable | OSError | MemoryError) or type(error).__name__ in {
        "OutOfMemoryError",
        "OperationalError",
    }


def backoff_seconds(settings: Settings, attempt: int) -> float:
    """After the failed attempt of this number (from 1): doubling up to the cap, with jitter."""
    most = min(settings.retry_cap_seconds, settings.retry_base_seconds * 2 ** min(attempt - 1, 20))
    return random.uniform(most / 2, most)
