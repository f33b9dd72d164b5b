"""A recording as spotting sees it: facts, and its frames one at a time."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData

FEWEST_FRAMES = 8  # of a recording in which something can move
LARGEST_SIDE = 3840  # px of a frame. Larger ones are halved: a face has enough px then, and colour takes long
HASHED_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """A frame: its place in the recording from 0, its time, s from the first frame, and pixels [H, W, 3] uint8 RGB."""

    index: int
    seconds: float
    pixels: NDArray[np.uint8]


class RecordingFacts(NamedTuple):
    """What is known of a recording before it is read.

    fps: frames per second; with a variable rate their mean. seconds: from the first frame to the end of the last.
    size: width and height, px, upright and with square pixels. remarks: sentences about what was changed or is odd.
    """

    name: str
    frames: int
    fps: float
    seconds: float
    size: tuple[int, int]
    variable_rate: bool = False
    remarks: tuple[str, ...] = ()


class Recording(ABC):
    """A recording that can be read several times, from any time on. Its memory does not grow with its length."""

    def __init__(self, facts: RecordingFacts) -> None:
        self.facts = facts

    @property
    def shrink(self) -> int:
        """Px of the recording along a side of one px of the frames that `read_frames` gives."""
        return -(-max(self.facts.size) // LARGEST_SIDE)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences about what was changed or is odd."""
        if self.shrink == 1:
            return self.facts.remarks
        width, height = self.facts.size
        smaller = f"frames of {width}x{height} px were searched at 1/{self.shrink} of their width and height"
        return (*self.facts.remarks, smaller)

    @cached_property
    def sha256(self) -> str:
        """The digest of the file, or of a folder's names and files. Empty for frames in memory."""
        return ""

    def read_frames(self, start: float = 0.0) -> Iterator[RecordedFrame]:
        """The frames from the time `start`, s, on. A frame that cannot be decoded whole is missing.

        The same frame has the same pixels whatever `start` is. Raises BadData for frames that cannot be read at all.
        """
        for index, seconds, pixels in self._read_pixels(start):
            yield RecordedFrame(index, seconds, _shrink_picture(pixels, self.shrink))

    @abstractmethod
    def _read_pixels(self, start: float) -> Iterator[tuple[int, float, NDArray[np.uint8]]]:
        """(index, seconds, pixels [H, W, 3] uint8 RGB) of the frames from the time `start`, s, on."""


class FramesInMemory(Recording):
    """Frames uint8 [T, H, W, 3] RGB."""

    def __init__(self, frames: NDArray[np.uint8], fps: float, name: str = "frames") -> None:
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or 0 in frames.shape:
            raise BadData(
                f"{name}: expected frames uint8 [T, H, W, 3], red-green-blue, got {frames.dtype} {list(frames.shape)}; "
                "stack the frames along the first axis and scale the values to 0..255."
            )
        check_length(name, len(frames))
        size = (frames.shape[2], frames.shape[1])
        super().__init__(RecordingFacts(name, len(frames), fps, len(frames) / fps, size))
        self._frames = frames

    def _read_pixels(self, start: float) -> Iterator[tuple[int, float, NDArray[np.uint8]]]:
        for index in range(find_start(start, self.facts.fps), len(self._frames)):
            yield index, index / self.facts.fps, self._frames[index]


def find_start(seconds: float, fps: float) -> int:
    """The first frame at a time or after it, at an even rate."""
    return max(0, int(np.ceil(seconds * fps - 1e-6)))


def check_length(name: str, frames: int) -> None:
    """Raise BadData for a recording in which nothing can be seen to move."""
    if frames < FEWEST_FRAMES:
        raise BadData(
            f"{name}: expected a recording of at least {FEWEST_FRAMES} frames, got {frames}; motion cannot be "
            "measured in less. Give the whole video."
        )


def check_rate(name: str, fps: float | None) -> None:
    """Raise BadData for a frame rate that is none."""
    if fps is not None and not (np.isfinite(fps) and fps > 0):
        raise BadData(f"{name}: expected a frame rate above 0 frames/s, got {fps}; give the camera's rate.")


def hash_files(files: Iterable[Path], with_names: bool) -> str:
    """SHA-256 of the files one after the other, with their names and sizes if asked for. Raises BadData."""
    digest = hashlib.sha256()
    for file in files:
        try:
            if with_names:
                digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
            with file.open("rb") as stream:
                while block := stream.read(HASHED_BLOCK):
                    digest.update(block)
        except OSError as error:
            raise BadData(
                f"{file.name}: expected a readable file, got {error.strerror}; restore it or its permissions."
            ) from None
    return digest.hexdigest()


def _shrink_picture(pixels: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """Pixels [H, W, 3] averaged over squares of `times` px; what is left at the right and below is cut off."""
    if times == 1:
        return pixels
    rows, columns = (side // times for side in pixels.shape[:2])
    whole = pixels[: rows * times, : columns * times]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
