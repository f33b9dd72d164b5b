"""A process that captures, so that no frame is read late because an earlier one is being watched."""

import multiprocessing
import queue
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from merstream.caller_script import hide_caller_script
from merstream.live.clock import SteadyClock
from merstream.live.frame_sources import FrameSource, SourceOrder
from merstream.single_thread import single_thread_environment
from services.spotter.recorded_frames import RecordedFrame
from shared.errors import BadData
from shared.interrupts import start_deaf_processes

QUEUE_LENGTH = 8  # frames between the two processes: 0.3 s of a camera's. What comes while they wait is dropped
POLL_SECONDS = 0.2
SILENT_SECONDS = 10.0  # without a frame, after which a camera is given up
END_SECONDS = 5.0  # for which the last word of a capture waits for a place in the queue


@dataclass(frozen=True)
class CapturedFrame:
    """A frame, the moment at which it was captured (s of `SteadyClock`), and how many were dropped before it."""

    frame: RecordedFrame
    moment: float
    dropped: int


@dataclass(frozen=True)
class CaptureOpened:
    """The source can be read."""


@dataclass(frozen=True)
class CaptureEnd:
    """The source has no more frames; `fault` is why, a sentence, if it is none to expect."""

    dropped: int
    fault: str = ""


class FrameRelay:
    """Hands frames on to a queue of bounded length. Never waits: a frame that finds no place is dropped."""

    def __init__(self, waiting: Any) -> None:
        self._waiting, self.dropped = waiting, 0

    def relay_frames(self, source: FrameSource, stop: Any) -> None:
        """All frames of a source, until it ends or `stop` is set, and then the end."""
        fault = ""
        try:
            for frame in source.read_frames():
                if stop.is_set():
                    break
                self._hand_on(CapturedFrame(frame, SteadyClock().read_seconds(), self.dropped))
        except BadData as error:
            fault = str(error)
        self.end(fault)

    def end(self, fault: str = "") -> None:
        try:
            self._waiting.put(CaptureEnd(self.dropped, fault), timeout=END_SECONDS)
        except queue.Full:
            return  # nobody reads any more

    def _hand_on(self, captured: CapturedFrame) -> None:
        try:
            self._waiting.put_nowait(captured)
        except queue.Full:
            self.dropped += 1


class CaptureProcess:
    """A source that another process opens, and reads in real time once it is asked to. Use it in a `with` block."""

    def __init__(self, order: SourceOrder) -> None:
        context = multiprocessing.get_context("spawn")
        self._waiting = context.Queue(QUEUE_LENGTH)
        self._start, self._stop = context.Event(), context.Event()
        events = (self._start, self._stop)
        self._process = context.Process(
            target=_run_capture, args=(order, self._waiting, *events), name="capture", daemon=True
        )
        self.dropped = 0

    def __enter__(self) -> "CaptureProcess":
        with single_thread_environment(), hide_caller_script(), start_deaf_processes():
            self._process.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._start.set()
        self._process.join(0.5)  # it may wait for the next frame
        self._process.kill()
        self._process.join()
        self._waiting.close()
        self._waiting.cancel_join_thread()

    def wait_until_open(self) -> None:
        """Return when the source can be read. Raises BadData if it cannot."""
        while True:
            try:
                found = self._waiting.get(timeout=POLL_SECONDS)
            except queue.Empty:
                self._check_life(0.0)
                continue
            if isinstance(found, CaptureEnd):
                raise BadData(found.fault)
            return

    def read_frames(self) -> Iterator[CapturedFrame | None]:
        """The frames from now on, and None at least every `POLL_SECONDS` without one. Raises BadData for a fault."""
        self._start.set()
        silent = 0.0
        while True:
            try:
                found = self._waiting.get(timeout=POLL_SECONDS)
            except queue.Empty:
                silent += POLL_SECONDS
                self._check_life(silent)
                yield None
                continue
            silent = 0.0
            if isinstance(found, CaptureOpened):
                continue
            self.dropped = found.dropped
            if isinstance(found, CaptureEnd):
                if found.fault:
                    raise BadData(found.fault)
                return
            yield found

    def _check_life(self, silent: float) -> None:
        if not self._process.is_alive() and self._waiting.empty():
            raise BadData(
                f"The process that captures ended with exit code {self._process.exitcode}. Check that there is enough "
                "memory, and start again."
            )
        if silent >= SILENT_SECONDS:
            raise BadData(
                f"No frame came for {SILENT_SECONDS:.0f} s. Another program may use the camera, or it was unplugged: "
                "close that program, or connect it again."
            )


def _run_capture(order: SourceOrder, waiting: Any, start: Any, stop: Any) -> None:
    relay = FrameRelay(waiting)
    try:
        source = order.open_source()
    except BadData as error:
        relay.end(str(error))
        return
    waiting.put(CaptureOpened())
    start.wait()
    relay.relay_frames(source, stop)
