"""A drawn face that smiles once, briefly, as what a camera gives; and clocks that a test moves."""

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from merstream.live.event_recognition import LoadedModel, RecognisedClip
from merstream.live.face_ring import KeptClip
from merstream.live.session import LiveSession
from merstream.synth.long_dataset import encode_frames
from merstream.synth.long_events import VideoEvent
from merstream.synth.long_video import LongVideo, draw_long_video
from services.spotter.recorded_frames import RecordedFrame
from services.trainer.recogniser.recognition import RecognisedExpression
from shared.prediction.model import UsedModel
from shared.records import Pipeline

RATE, SECONDS, SIZE = 30, 3.2, (240, 320)
ONSET, APEX, OFFSET = 1.4, 1.6, 1.85
SMILE = VideoEvent(
    "micro", (ONSET, APEX, OFFSET), (0.0, 1.0, 0.0), APEX, units=(("6R", 2.5), ("6L", 2.5), ("12R", 4.0), ("12L", 4.0))
)
VIDEO = LongVideo(5, 1, 1, SECONDS, Fraction(RATE), SIZE, [SMILE])


@cache
def draw_frames() -> NDArray[np.uint8]:
    """uint8 [96, 240, 320, 3]"""
    return np.stack(list(draw_long_video(VIDEO)))


def list_frames(skipped: int = 0) -> Iterator[RecordedFrame]:
    """The frames with their times. Of each `skipped` + 1 only the first came."""
    pixels = draw_frames()
    for index in range(0, len(pixels), skipped + 1):
        yield RecordedFrame(index, index / RATE, pixels[index])


def write_video(folder: Path) -> Path:
    file = folder / "smile.mp4"
    encode_frames(file, draw_frames(), VIDEO, 10)
    return file


class HandClock:
    """Waits by moving on at once. Between two reads a test may move it further, as a busy computer would."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def read_seconds(self) -> float:
        return self.seconds

    def wait_until(self, moment: float) -> None:
        self.seconds = max(self.seconds, moment)


class SlowRecogniser:
    """Holds what it was given until the test lets it answer: recognition takes as long as it takes."""

    def __init__(self) -> None:
        self.loaded: LoadedModel | None = LoadedModel(
            UsedModel(name="held", digest="0", trained_on="nothing"), Pipeline()
        )
        self.held: dict[int, KeptClip] = {}
        self.released = False

    @property
    def is_idle(self) -> bool:
        return not self.held

    def start_clip(self, number: int, clip: KeptClip) -> None:
        self.held[number] = clip

    def take_answer(self, wait: float = 0.0) -> RecognisedClip | None:
        if not self.released or not self.held:
            return None
        number = next(iter(self.held))
        del self.held[number]
        return RecognisedClip(number, RecognisedExpression("positive", {"positive": 0.9, "none": 0.1}))


def play_session(skipped: int = 0) -> tuple[LiveSession, SlowRecogniser]:
    """A session after all frames; nothing was recognised yet."""
    recogniser = SlowRecogniser()
    session = LiveSession("smile", recogniser)
    for frame in list_frames(skipped):
        session.add_frame(frame)
    return session, recogniser
