"""The recording with what was found drawn on it, as H.264."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from merstream.prediction.model import Prediction


class TimedFrame(Protocol):
    """A frame of a recording: s from the first frame, and uint8 [H, W, 3] RGB."""

    @property
    def seconds(self) -> float: ...
    @property
    def pixels(self) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class FaceTrack:
    """Where one face is over T frames of one segment.

    face: its id. times: [T] s. boxes: [T, 4] left, top, right, bottom, px. landmarks: [T, 68, 2] px, iBUG order, None
    where they were not kept.
    """

    face: int
    times: NDArray[np.float64]
    boxes: NDArray[Any]
    landmarks: NDArray[Any] | None = None


def write_overlay(frames: Iterable[TimedFrame], prediction: Prediction, tracks: Sequence[FaceTrack], out: Path) -> Path:
    """Write the frames with boxes, ids, landmarks and events as an MP4 file (H.264) and return it.

    frames: those of `open_recording(source).read_frames()`, one in memory at a time. Their times are kept.
    """
    raise NotImplementedError
