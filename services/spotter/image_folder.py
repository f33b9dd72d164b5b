"""A recording as a folder of images in natural order: img2 before img10."""

import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.spotter.recorded_frames import Recording, RecordingFacts, check_length, find_start, hash_files
from shared.errors import BadData
from shared.images.decoding import IMAGE_SUFFIXES, decode_image, to_rgb
from shared.images.depth import FULL, measure_depth

USUAL_RATE = 30.0  # frames/s of a folder for which none is given
_NUMBER = re.compile(r"(\d+)")


class ImageFolder(Recording):
    """The images of a folder, without hidden files and other files."""

    def __init__(self, folder: Path, fps: float | None) -> None:
        self._files = list_images(folder)
        if not self._files:
            raise BadData(
                f"{folder.name}: expected a folder of images ({' '.join(sorted(IMAGE_SUFFIXES))}), got none; give the "
                "folder that holds the frames."
            )
        check_length(folder.name, len(self._files))
        remarks = []
        if fps is None:
            remarks.append(f"the frames' rate is not known: {USUAL_RATE:g} frames/s were assumed; give it with --fps")
        rate = fps or USUAL_RATE
        first = self._decode_file(self._files[0])
        self._bits = FULL
        if first.dtype == np.uint16:
            depth = measure_depth((file.name, self._decode_file(file)) for file in self._files)
            self._bits = depth.bits
            remarks.append(depth.note)
        self._shape = first.shape[:2]
        size = (self._shape[1], self._shape[0])
        count = len(self._files)
        super().__init__(RecordingFacts(folder.name, count, rate, count / rate, size, False, tuple(remarks)))

    @cached_property
    def sha256(self) -> str:
        return hash_files(self._files, with_names=True)

    def _read_pixels(self, start: float) -> Iterator[tuple[int, float, NDArray[np.uint8]]]:
        for index in range(find_start(start, self.facts.fps), len(self._files)):
            pixels = self._decode_file(self._files[index])
            if pixels.shape[:2] != self._shape:
                rows, columns = pixels.shape[:2]
                raise BadData(
                    f"{self._files[index].name}: expected {self._shape[1]}x{self._shape[0]} px like the first frame, "
                    f"got {columns}x{rows} px; give a folder that holds frames of one recording alone."
                )
            bits = self._bits if pixels.dtype == np.uint16 else 8
            yield index, index / self.facts.fps, to_rgb(pixels, bits)

    def _decode_file(self, file: Path) -> NDArray[np.generic]:
        try:
            return decode_image(np.frombuffer(file.read_bytes(), np.uint8), file.name)
        except OSError as error:
            raise BadData(
                f"{file.name}: expected a readable image, got {error.strerror}; restore it or its permissions."
            ) from None


def list_images(folder: Path) -> list[Path]:
    """The image files of a folder in natural order, without hidden ones. Raises BadData for an unreadable folder."""
    try:
        with os.scandir(folder) as listing:
            names = [item.name for item in listing if not item.name.startswith(".")]
    except OSError as error:
        raise BadData(
            f"{folder.name}: expected a readable folder, got {error.strerror}; check its name and permissions."
        ) from None
    found = [name for name in names if Path(name).suffix.lower() in IMAGE_SUFFIXES]
    return [folder / name for name in sorted(found, key=_order_naturally)]


def _order_naturally(name: str) -> tuple[list[tuple[str, int]], str]:
    """Sort key: text and numbers in turns, numbers by their value."""
    parts = _NUMBER.split(name.casefold())
    return [(text, int(number)) for text, number in zip(parts[::2], [*parts[1::2], "-1"], strict=True)], name
