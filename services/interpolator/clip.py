"""Checks of a clip before anything is computed from it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.interpolator.motion import SMALLEST
from shared.errors import BadData


def check_clip(frames: NDArray[Any], onset: int, apex: int, offset: int) -> None:
    """Raise BadData unless frames are uint8 [T,H,W,3] and 0 <= onset <= apex <= offset < T, with onset < offset."""
    check_frames(frames)
    if not 0 <= onset <= apex <= offset < len(frames):
        raise BadData(
            f"Onset {onset}, apex {apex} and offset {offset} are not in this order within a clip of {len(frames)} "
            "frames, counted from 0: correct the annotation of this clip."
        )
    if onset == offset:
        raise BadData(
            f"Onset and offset are the same frame ({onset}), so there is nothing to interpolate: expected at least two "
            "frames; correct the annotation or exclude this clip."
        )


def check_frames(frames: NDArray[Any]) -> None:
    """Raise BadData unless frames are uint8 [T,H,W,3] with H and W of at least `SMALLEST` px."""
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
        raise BadData(
            f"Frames are {frames.dtype} of shape {frames.shape}, expected uint8 [frames, rows, columns, 3] in RGB: "
            "decode this clip again, and repeat the channel of grey frames three times."
        )
    if min(frames.shape[1:3]) < SMALLEST:
        raise BadData(
            f"Frames are {frames.shape[1]} x {frames.shape[2]} px, expected at least {SMALLEST} each way: "
            "crop the face more widely or use a better recording."
        )


def check_times(times: NDArray[Any], frames: int) -> NDArray[np.float64]:
    """The times [T] of a clip's frames, s. Raises BadData unless there is one per frame and they increase."""
    seconds = np.asarray(times, np.float64)
    if seconds.shape != (frames,) or not np.isfinite(seconds).all() or not (np.diff(seconds) > 0).all():
        raise BadData(
            f"Times of frames are {seconds.shape} values, expected {frames} that increase: ingest this clip again."
        )
    return seconds
