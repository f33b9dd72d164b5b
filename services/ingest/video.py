"""Frames of a video in memory, decoded one at a time. Frames count from 0."""

import tempfile
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import cv2
from numpy.typing import NDArray

from shared.errors import BadData


def read_video_frames(data: NDArray[Any], name: str, onset: int, offset: int) -> Iterator[tuple[str, NDArray[Any]]]:
    """("name frame n", pixels [H,W,3] uint8 blue-green-red) for n = onset..offset, both inside.

    `data` has the bytes [n] of the video. Decoders open only files, so the bytes are in a temporary file meanwhile.
    Raises BadData if it is no video or ends before the offset.
    """
    with tempfile.NamedTemporaryFile(suffix=PurePath(name).suffix) as file:
        data.tofile(file)
        file.flush()
        capture = cv2.VideoCapture(file.name, cv2.CAP_FFMPEG)
        try:
            yield from _decode_frames(capture, name, onset, offset)
        finally:
            capture.release()


def _decode_frames(capture: cv2.VideoCapture, name: str, onset: int, offset: int) -> Iterator[tuple[str, NDArray[Any]]]:
    if not capture.isOpened():
        raise BadData(f"{name}: expected a video, got a file that cannot be opened as one; convert it to .mp4 again.")
    for number in range(offset + 1):
        if not capture.grab():
            raise BadData(
                f"{name}: expected frames up to the offset {offset}, got a video of {number} frames; "
                "correct the row (frames of a video count from 0) or copy the file again."
            )
        if number >= onset:
            yield f"{name} frame {number}", _retrieve_frame(capture, name, number)


def _retrieve_frame(capture: cv2.VideoCapture, name: str, number: int) -> NDArray[Any]:
    good, pixels = capture.retrieve()
    if not good:
        raise BadData(f"{name}: expected frame {number} to decode, got a damaged one; copy the video again.")
    return pixels
