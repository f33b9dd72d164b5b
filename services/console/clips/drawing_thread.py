"""The thread in which pictures are drawn."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from services.console.state_reader import T
from shared.errors import Unavailable


class DrawingThread:
    """Draws one picture at a time and all in one thread: its memory is that of one picture."""

    def __init__(self, patience_seconds: float) -> None:
        self.patience_seconds = patience_seconds
        self._thread = ThreadPoolExecutor(1, "pictures")

    def draw_picture(self, draw: Callable[[], T], patience_seconds: float | None = None) -> T:
        """What `draw` returns. Raises Unavailable if it or others take too long, and whatever it raises."""
        drawn = self._thread.submit(draw)
        try:
            return drawn.result(patience_seconds or self.patience_seconds)
        except TimeoutError:
            drawn.cancel()
            raise Unavailable("The console is busy with other pictures. Ask again.") from None
