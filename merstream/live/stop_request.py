"""Ctrl-C as a request: the frame at hand is finished, and the session ends with its summary."""

import signal
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Set by the first Ctrl-C or SIGTERM. A second one raises KeyboardInterrupt. Use it in a `with` block."""

    def __init__(self) -> None:
        self.is_set = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopRequest":
        heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # as under `nohup`
        self._before = {number: signal.signal(number, self._note_signal) for number in heard}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        if self.is_set:
            raise KeyboardInterrupt
        self.is_set = True
