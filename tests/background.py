"""What a test runs beside itself, in a thread that ends with the test, also where the test fails."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

END_SECONDS = 300


@contextmanager
def run_in_background(target: Callable[[], object], stop: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Runs `target` while the block runs. Then calls `stop` and waits for the thread."""
    thread = threading.Thread(target=target)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(END_SECONDS)
        assert not thread.is_alive(), f"{target} has not ended"
