"""What every method of magnification does first: check the clip and its factors, steady the head, even the light."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from services.magnifier.arrays import Doubles, Floats
from shared.errors import BadData
from shared.registration.alignment import align_frames
from shared.stage_settings.magnifier import MagnifierSettings


def prepare_rgb(frames: NDArray[Any], dtype: DTypeLike, settings: MagnifierSettings) -> Floats:
    """The clip as floats 0..1, [T, H, W, 3]; its light equalised and its head steadied if the settings ask for it.

    Raises BadData for frames of another shape or type.
    """
    rgb = _to_float_rgb(frames, dtype)
    return align_frames(rgb, steady_head=settings.head == "steadied", even_light=settings.light == "equalised")


def check_factors(factors: Sequence[float]) -> Doubles:
    """The factors as [F]. Raises BadData for one that is negative or not finite."""
    alphas = np.asarray(factors, np.float64)
    if alphas.ndim != 1 or not np.isfinite(alphas).all() or (alphas < 0).any():
        raise BadData(f"Magnification factors must be a row of finite numbers of 0 or more, got {factors}.")
    return alphas


def _to_float_rgb(frames: NDArray[Any], dtype: DTypeLike) -> Floats:
    if frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape or len(frames) < 2:
        raise BadData(f"Magnification needs RGB frames of shape (2 or more, height, width, 3), got {frames.shape}.")
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise BadData(f"Magnification computes in float32 or float64, got {np.dtype(dtype)}.")
    scale = 255 if frames.dtype == np.uint8 else 1
    if scale == 1 and not (np.issubdtype(frames.dtype, np.floating) and np.isfinite(frames).all()):
        raise BadData(
            f"Magnification needs uint8 frames or finite floats 0..1, got {frames.dtype}: convert them first."
        )
    rgb: Floats = frames.astype(dtype)
    rgb /= scale
    return rgb
