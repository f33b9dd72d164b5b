"""The time by which a file plays as a camera. A test has one that it advances itself."""

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that only grow."""

    def read_seconds(self) -> float: ...

    def wait_until(self, moment: float) -> None:
        """Return at `moment`, s of this clock, or at once if it is over."""


class SteadyClock:
    """The computer's time. All processes of a computer read the same seconds."""

    def read_seconds(self) -> float:
        return time.monotonic()

    def wait_until(self, moment: float) -> None:
        time.sleep(max(0.0, moment - time.monotonic()))
