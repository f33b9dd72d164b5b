"""The recording with what was found drawn on it, as H.264."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from merstream.prediction.overlay_drawing import FaceCourse, OverlayPainter
from shared.errors import BadData
from shared.prediction.model import Prediction

LONGEST_SIDE = 1920  # px; larger frames are made smaller, since few players play them
TICKS_PER_SECOND = 90_000  # as in MPEG: any frame rate's times are kept
# The conversion to YUV is that of standard definition (BT.601), so the file must say so: players guess from the size.
ENCODER = {
    "crf": "21",
    "preset": "veryfast",
    "x264-params": "threads=1:colorprim=smpte170m:transfer=smpte170m:colormatrix=smpte170m",
}


class TimedFrame(Protocol):
    """A frame of a recording: s from the first frame, and uint8 [H, W, 3] RGB."""

    @property
    def seconds(self) -> float: ...
    @property
    def pixels(self) -> NDArray[np.uint8]: ...


def write_overlay(
    frames: Iterable[TimedFrame],
    prediction: Prediction,
    faces: Iterable[FaceCourse],
    out: Path,
) -> Path:
    """Write the frames with boxes, ids, landmarks and events as an MP4 file (H.264) and return it.

    frames: those of `open_recording(source).read_frames()`, one in memory at a time. Their times are kept. faces: by
    their first times; one is asked for when the frames have come to it. The file appears when it is whole. Raises
    BadData without a frame.
    """
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise BadData(
            f"{prediction.video.name}: expected at least one frame to draw on, got none; check the recording."
        )
    painter, stage = OverlayPainter(prediction), _Stage(faces)
    height, width = _choose_size(first.pixels)
    partial = out.with_name(out.name + ".part")
    with av.open(str(partial), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}) as target:
        stream = target.add_stream("libx264", rate=_round_rate(prediction.video.fps), options=ENCODER)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS_PER_SECOND)
        last = -1
        for shown in chain([first], remaining):
            scaled = cv2.resize(shown.pixels, (width, height), interpolation=cv2.INTER_AREA)
            there, scale = stage.list_present(shown.seconds), width / shown.pixels.shape[1]
            picture = painter.draw_frame(np.asarray(scaled, np.uint8), there, shown.seconds, scale)
            last = max(last + 1, round(shown.seconds * TICKS_PER_SECOND))
            target.mux(stream.encode(_convert_frame(picture, last)))
        target.mux(stream.encode())
    partial.replace(out)
    return out


class _Stage:
    """The courses that are there while time goes on. Those that ended are forgotten."""

    def __init__(self, faces: Iterable[FaceCourse]) -> None:
        self._coming = iter(faces)
        self._next = next(self._coming, None)
        self._present: list[FaceCourse] = []

    def list_present(self, seconds: float) -> list[FaceCourse]:
        self._present = [face for face in self._present if seconds <= face.times[-1] + face.patience]
        while self._next is not None and self._next.times[0] - self._next.patience <= seconds:
            self._present.append(self._next)
            self._next = next(self._coming, None)
        return self._present


def _choose_size(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    """Height and width of the video: even, since its colours have half the resolution."""
    height, width = pixels.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    return max(2, round(height * scale / 2) * 2), max(2, round(width * scale / 2) * 2)


def _round_rate(fps: float) -> Fraction:
    return Fraction(fps).limit_denominator(1001) if fps > 0 else Fraction(30)


def _convert_frame(picture: NDArray[np.uint8], stamp: int) -> av.VideoFrame:
    """A picture [H, W, 3] RGB at a time in ticks. OpenCV rounds; FFmpeg's conversion would darken by a grey level."""
    planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420), np.uint8)
    frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
    frame.pts, frame.time_base = stamp, Fraction(1, TICKS_PER_SECOND)
    return frame
