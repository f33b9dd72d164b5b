"""Where live frames come from: a camera, or a recording that plays as one. Times are those of the frames."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from merstream.live.clock import Clock, SteadyClock
from services.spotter.recorded_frames import RecordedFrame, Recording
from services.spotter.recording import open_recording
from shared.errors import BadData

LATE_FRAMES = 1.0  # lengths of a frame after which a played frame is no longer shown
LARGEST_SIDE = 1920  # px of a live frame. Larger ones are halved: they take too long


class FrameSource(Protocol):
    """Frames in the order of time. `index` counts all frames, also those that were dropped."""

    @property
    def name(self) -> str: ...

    def read_frames(self) -> Iterator[RecordedFrame]:
        """The frames, each when its time has come. Raises BadData if they cannot be read."""


@dataclass(frozen=True)
class SourceOrder:
    """Which source to open, so that another process can open it. Without `file` it is the camera `camera`.

    size: width and height, px, and fps: frames/s, that the camera is asked for. It gives what it can.
    """

    camera: int = 0
    file: Path | None = None
    fps: float | None = None
    size: tuple[int, int] = (640, 480)

    def open_source(self, clock: Clock | None = None) -> FrameSource:
        """The source. Raises BadData if there is none."""
        clock = clock or SteadyClock()
        if self.file is not None:
            return PlayedRecording(open_recording(self.file, self.fps), clock)
        return Camera(self.camera, self.size, self.fps or 30.0, clock)


class PlayedRecording:
    """A recording that plays as a camera: a frame that is late by more than its length is dropped."""

    def __init__(self, recording: Recording, clock: Clock) -> None:
        self.recording, self.clock = recording, clock

    @property
    def name(self) -> str:
        return self.recording.facts.name

    def read_frames(self) -> Iterator[RecordedFrame]:
        patience = LATE_FRAMES / self.recording.facts.fps
        start: float | None = None
        for frame in self.recording.read_frames():
            if start is None:
                start = self.clock.read_seconds() - frame.seconds
            due = start + frame.seconds
            if self.clock.read_seconds() - due > patience:
                continue
            self.clock.wait_until(due)
            yield RecordedFrame(frame.index, frame.seconds, limit_size(frame.pixels))


class Camera:
    """A camera by its number, from 0. The time of a frame is when it arrived."""

    def __init__(self, number: int, size: tuple[int, int], fps: float, clock: Clock) -> None:
        self.name, self.clock = f"camera {number}", clock
        with _silence_opencv():
            self._capture = cv2.VideoCapture(number)
        if not self._capture.isOpened():
            raise BadData(describe_closed_camera(number))
        for setting, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, size[0]),
            (cv2.CAP_PROP_FRAME_HEIGHT, size[1]),
            (cv2.CAP_PROP_FPS, fps),
            (cv2.CAP_PROP_BUFFERSIZE, 1),  # a driver that queues frames would delay them
        ):
            self._capture.set(setting, value)

    def read_frames(self) -> Iterator[RecordedFrame]:
        start: float | None = None
        index = 0
        try:
            while self._capture.grab():
                now = self.clock.read_seconds()
                start = now if start is None else start
                done, picture = self._capture.retrieve()
                if done:
                    rgb = cv2.cvtColor(limit_size(np.asarray(picture, np.uint8)), cv2.COLOR_BGR2RGB)
                    yield RecordedFrame(index, now - start, np.asarray(rgb, np.uint8))
                index += 1
        finally:
            self._capture.release()
        if start is None:
            raise BadData(
                f"{self.name}: expected frames, got none. Another program may use it: close that program, or give "
                "another number with --camera."
            )


def describe_closed_camera(number: int, devices: Path = Path("/dev")) -> str:
    """Why a camera cannot be opened, as far as the system says it: a sentence, and what to do."""
    play = "`mer webcam --file VIDEO` plays a file as a camera."
    if not sys.platform.startswith("linux"):
        return (
            f"camera {number}: expected a camera that opens, got none. It is missing, used by another program, or this "
            f"terminal may not use cameras (settings of the system, privacy). {play}"
        )
    device = devices / f"video{number}"
    if not device.exists():
        known = sorted(path.name.removeprefix("video") for path in devices.glob("video*"))
        others = f"got only {', '.join(known)}; give one with --camera" if known else "got none; connect one"
        return f"camera {number}: expected a camera at {device}, {others}. {play}"
    if not os.access(device, os.R_OK | os.W_OK):
        return (
            f"camera {number}: expected the right to read {device}, got none. Add the user to the group that owns it "
            f"(often `video`), and log in again. {play}"
        )
    return (
        f"camera {number}: expected {device} to open, got a refusal: another program uses it, or it gives no pictures. "
        f"Close that program, or give another number with --camera. {play}"
    )


def limit_size(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame [H, W, 3] with at most `LARGEST_SIDE` px along a side, averaged over squares where it has more."""
    times = -(-max(pixels.shape[:2]) // LARGEST_SIDE)
    if times == 1:
        return pixels
    rows, columns = (side // times for side in pixels.shape[:2])
    whole = pixels[: rows * times, : columns * times]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


@contextmanager
def _silence_opencv() -> Iterator[None]:
    """OpenCV prints why each of its backends has no camera. The sentence of the error says it once."""
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)
