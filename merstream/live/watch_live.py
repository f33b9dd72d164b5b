"""A live session from its first frame to its summary: capture, watch, recognise, show."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from merstream.live.capture import CapturedFrame, CaptureProcess
from merstream.live.clock import SteadyClock
from merstream.live.event_board import LiveEvent
from merstream.live.frame_sources import SourceOrder
from merstream.live.live_view import LiveView, describe_moment
from merstream.live.recognition_process import RecognitionProcess
from merstream.live.session import LiveSession
from merstream.live.stop_request import StopRequest
from merstream.single_thread import limit_own_threads
from shared.prediction.model import Prediction

MODEL_POLL_SECONDS = 0.5
SHOW_SECONDS = 0.2  # between two views
LAST_ANSWERS = 20.0  # s after the end in which events are still recognised

ShowView = Callable[[LiveView, NDArray[np.uint8] | None], None]
NoteEvent = Callable[[LiveEvent, float], None]


@dataclass(frozen=True)
class LiveOptions:
    """What to watch, with which model, and how many faces at once."""

    order: SourceOrder
    model: str | Path = "shipped"
    most_faces: int = 1

    @property
    def name(self) -> str:
        """The name of the source."""
        return self.order.file.name if self.order.file else f"camera {self.order.camera}"


def watch_live(
    options: LiveOptions,
    show_view: ShowView = lambda view, pixels: None,
    note_event: NoteEvent = lambda event, moment: None,
) -> Prediction:
    """Watch until the source ends or Ctrl-C, and return the session's prediction.

    show_view: gets a view and the frame [H, W, 3] some times a second. note_event: gets each event that is new or
    revised, and for how long it was over then, s of the clock. Raises BadData for a source that gives no frames,
    MerError without a model.
    """
    with ExitStack() as stack:
        stack.enter_context(limit_own_threads())
        capture = stack.enter_context(CaptureProcess(options.order))
        recogniser = stack.enter_context(RecognitionProcess(options.model))
        capture.wait_until_open()
        while recogniser.loaded is None:  # a camera that is read meanwhile would lose its first seconds
            recogniser.take_answer(MODEL_POLL_SECONDS)
        stop = stack.enter_context(StopRequest())
        session = LiveSession(options.name, recogniser, options.most_faces)
        screen = _Screen(session, show_view)
        for captured in _read_until(capture, stop):
            if captured is None:
                session.recognise_next()
            else:
                for event in session.add_frame(captured.frame):
                    over = (
                        SteadyClock().read_seconds() - captured.moment + captured.frame.seconds - event.spotted.offset
                    )
                    note_event(event, over)
            screen.show_frame(captured)
        session.finish()
        _wait_for_answers(session, screen)
        return session.compose_prediction()


@dataclass
class _Screen:
    """Shows the session, but not more often than it can be seen."""

    session: LiveSession
    show_view: ShowView
    shown: float = -np.inf
    captured: float = 0.0  # when the last frame was

    def show_frame(self, captured: CapturedFrame | None, ended: bool = False) -> None:
        now = SteadyClock().read_seconds()
        self.captured = captured.moment if captured else self.captured
        if now - self.shown < SHOW_SECONDS and not ended:
            return
        self.shown = now
        behind = now - self.captured if self.session.frames else 0.0
        pixels = captured.frame.pixels if captured else None
        self.show_view(describe_moment(self.session, behind, ended), pixels)


def _read_until(capture: CaptureProcess, stop: StopRequest) -> Iterator[CapturedFrame | None]:
    for captured in capture.read_frames():
        if stop.is_set:
            return
        yield captured


def _wait_for_answers(session: LiveSession, screen: _Screen) -> None:
    """Take the last answers. A second Ctrl-C stops waiting."""
    clock = SteadyClock()
    end = clock.read_seconds() + LAST_ANSWERS
    try:
        while session.is_recognising and session.awaited_numbers and clock.read_seconds() < end:
            session.recognise_next(wait=0.2)
            screen.show_frame(None)
    except KeyboardInterrupt:
        return
    finally:
        screen.show_frame(None, ended=True)
