"""The pictures of a face over the last seconds: what an event that has ended is recognised from.

Only the part of each frame around the face is kept. A large face is shrunk by a whole number, so that the pictures of
all frames lie on one grid of pixels and nothing is resampled when the face wanders.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from services.spotter.event_clips import ROOM, FacePath, PlannedClip, plan_clip
from services.spotter.recorded_frames import RecordedFrame, Recording, RecordingFacts
from shared.spotting.events import SpottedEvent

KEPT_SECONDS = 8.0  # the longest event, the wait until it has ended, and a little
MOST_BYTES = 200_000_000
KEPT_FACE = 240  # px of a face's larger side: ingest's crop shows 160
KEPT_MARGIN = 0.1  # share of the face's larger side that is kept beyond the clip's room


@dataclass(frozen=True)
class FacePicture:
    """The part [h, w, 3] of a shrunk frame whose upper left pixel is (`left`, `top`). box: of the face, [4] px there.

    score: how sure the network is of the face, 0 to 1.
    """

    index: int
    seconds: float
    left: int
    top: int
    pixels: NDArray[np.uint8]
    box: NDArray[np.float64]
    score: float


class KeptFrames(Recording):
    """Pictures of a face as a recording of shrunk frames of `size` (width, height), black where nothing was kept."""

    def __init__(self, name: str, pictures: Sequence[FacePicture], size: tuple[int, int]) -> None:
        seconds = pictures[-1].seconds - pictures[0].seconds
        super().__init__(RecordingFacts(name, len(pictures), (len(pictures) - 1) / seconds, seconds, size))
        self._pictures = pictures

    def _read_pixels(self, start: float) -> Iterator[tuple[int, float, NDArray[np.uint8]]]:
        for picture in self._pictures:
            if picture.seconds >= start:
                yield picture.index, picture.seconds, self._paste_picture(picture)

    def _paste_picture(self, picture: FacePicture) -> NDArray[np.uint8]:
        width, height = self.facts.size
        frame = np.zeros((height, width, 3), np.uint8)
        rows, columns = picture.pixels.shape[:2]
        frame[picture.top : picture.top + rows, picture.left : picture.left + columns] = picture.pixels
        return frame


class KeptClip(NamedTuple):
    """An event's pictures, and which of them show it."""

    plan: PlannedClip
    frames: KeptFrames


@dataclass
class FaceRing:
    """Pictures of one uninterrupted stretch of a face. The oldest ones make room."""

    shrink: int = 0  # px of the frame along a side of one px that is kept; 0: the first picture decides
    size: tuple[int, int] = (0, 0)
    pictures: deque[FacePicture] = field(default_factory=deque)
    bytes: int = 0

    def add_frame(self, frame: RecordedFrame, box: NDArray[np.float64], score: float) -> None:
        """Keep what is around the box [4] (left, top, right, bottom, px) of a frame."""
        rows, columns = frame.pixels.shape[:2]
        side = float(max(box[2] - box[0], box[3] - box[1]))
        if not self.shrink:
            self.shrink = max(1, round(side / KEPT_FACE))
            self.size = (columns // self.shrink, rows // self.shrink)
        room, size = (ROOM + KEPT_MARGIN) * side, np.array(self.size)
        low = np.clip(np.floor((box[:2] - room) / self.shrink).astype(int), 0, size - 1)
        high = np.clip(np.ceil((box[2:] + room) / self.shrink).astype(int), low + 1, size)
        small = (box + 0.5) / self.shrink - 0.5
        pixels = _shrink_part(frame.pixels, low, high, self.shrink)
        self.pictures.append(FacePicture(frame.index, frame.seconds, int(low[0]), int(low[1]), pixels, small, score))
        self.bytes += pixels.nbytes
        while frame.seconds - self.pictures[0].seconds > KEPT_SECONDS or self.bytes > MOST_BYTES:
            self.bytes -= self.pictures.popleft().pixels.nbytes

    def cut_clip(self, event: SpottedEvent, dataset: str, face: int) -> KeptClip | None:
        """The clip of an event, or None if its first frames are no longer kept."""
        if len(self.pictures) < 3 or event.onset < self.pictures[0].seconds:
            return None
        path = FacePath(
            np.array([picture.index for picture in self.pictures]),
            np.array([picture.seconds for picture in self.pictures]),
            np.array([picture.box for picture in self.pictures]),
            self.size,
        )
        plan = plan_clip(event, dataset, face, path)
        chosen = set(plan.frames)
        pictures = [picture for picture in self.pictures if picture.index in chosen]
        return KeptClip(plan, KeptFrames(dataset, pictures, self.size))


def _shrink_part(
    pixels: NDArray[np.uint8], low: NDArray[np.int64], high: NDArray[np.int64], shrink: int
) -> NDArray[np.uint8]:
    """A copy of the part of a frame [H, W, 3] from `low` to `high` [2] (x, y), px of the shrunk frame."""
    (left, top), (right, bottom) = low * shrink, high * shrink
    part = pixels[top:bottom, left:right]
    if shrink == 1:
        return part.copy()
    small = cv2.resize(part, (int(high[0] - low[0]), int(high[1] - low[1])), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)
