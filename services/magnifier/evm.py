"""Eulerian video magnification of one clip by many factors, from one temporal filter and one decomposition.

Filter and pyramid are linear, so a clip magnified by alpha is the clip plus a sum of bands times gains(alpha). The
gains of all factors span few dimensions (they are piecewise linear in alpha: 1 to 4 where there are ten factors), so as
many sums are formed, and every factor is a mixture of these. Wu et al. 2012, Eulerian Video Magnification.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from services.magnifier import butterworth, colour, gains, pyramid
from services.magnifier.settings import PROFILES, MagnifierSettings
from shared.errors import BadData, Misconfigured
from shared.stage import resolve

Floats = NDArray[Any]
Bytes = NDArray[np.uint8]


def magnify(
    frames: NDArray[Any],
    factors: Sequence[float],
    profile: str | MagnifierSettings = "corrected",
    fps: float = 30.0,
    dtype: DTypeLike = np.float32,
) -> Floats:
    """Clip magnified by each factor: TxHxWx3 RGB (uint8, or float 0..1) -> float Fx(T-1)xHxWx3 RGB in 0..1.

    Output k belongs to input k+1; input 0 (onset) is the steady state. `fps` is the frame rate of `frames` in Hz.
    Raises BadData for frames that are no such clip or a frame rate that is none.
    """
    rgb = _rgb(frames, dtype)
    out = np.empty((len(factors), len(rgb) - 1, *rgb.shape[1:]), dtype)
    for _ in _render(rgb, factors, resolve(profile, PROFILES), fps, out):
        pass
    return out


def magnify_each(
    frames: NDArray[Any],
    factors: Sequence[float],
    profile: str | MagnifierSettings = "corrected",
    fps: float = 30.0,
    dtype: DTypeLike = np.float32,
) -> Iterator[Floats]:
    """`magnify`, one factor at a time: yields (T-1)xHxWx3, valid until the next is asked for (one buffer for all)."""
    rgb = _rgb(frames, dtype)
    buffer = np.empty((len(rgb) - 1, *rgb.shape[1:]), dtype)
    return _render(rgb, factors, resolve(profile, PROFILES), fps, [buffer] * len(factors))


def quantised(frames: Floats) -> Bytes:
    """Float 0..1 -> uint8, halves upwards as MATLAB's im2uint8 rounds them."""
    scaled: Floats = frames * frames.dtype.type(255)
    scaled += frames.dtype.type(0.5)
    return scaled.astype(np.uint8)


def _rgb(frames: NDArray[Any], dtype: DTypeLike) -> Floats:
    """The clip as floats 0..1, if it is one."""
    if frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape or len(frames) < 2:
        raise BadData(f"Magnification needs RGB frames of shape (2 or more, height, width, 3), got {frames.shape}.")
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise Misconfigured(f"Magnification computes in float32 or float64, got {np.dtype(dtype)}.")
    scale = 255 if frames.dtype == np.uint8 else 1
    if scale == 1 and not (np.issubdtype(frames.dtype, np.floating) and np.isfinite(frames).all()):
        raise BadData(
            f"Magnification needs uint8 frames or finite floats 0..1, got {frames.dtype}: convert them first."
        )
    rgb: Floats = frames.astype(dtype)
    rgb /= scale
    return rgb


def _render(
    rgb: Floats, factors: Sequence[float], settings: MagnifierSettings, fps: float, outs: Sequence[Floats] | Floats
) -> Iterator[Floats]:
    alphas = np.asarray(factors, np.float64)
    if alphas.ndim != 1 or not np.isfinite(alphas).all() or (alphas < 0).any():
        raise Misconfigured(f"Magnification factors must be a row of finite numbers of 0 or more, got {factors}.")
    mixtures, weights = _spanning(gains.applied(rgb.shape[1], rgb.shape[2], alphas, settings))
    parts = _parts(_moving(rgb, settings, fps), weights)
    tops = colour.brightest(rgb[1:]).reshape(len(parts), -1)
    for mixture, out in zip(mixtures.astype(rgb.dtype), outs, strict=True):
        for frame, top, part, target in zip(rgb[1:], tops, parts, out, strict=True):
            colour.add(frame, top, mixture @ part, target)
        yield out


def _spanning(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """FxB -> FxR, RxB with that product and the smallest R: few rows of weights that all gains are mixtures of."""
    used = rows.any(axis=0)
    left, sizes, right = np.linalg.svd(rows[:, used], full_matrices=False)
    rank = int((sizes > 1e-12 * sizes.max(initial=1e-300)).sum())
    weights = np.zeros((rank, rows.shape[1]))
    weights[:, used] = right[:rank]
    return left[:, :rank] * sizes[:rank], weights


def _moving(rgb: Floats, settings: MagnifierSettings, fps: float) -> Floats:
    """The band-passed signal that is magnified, (T-1)xCxHxW."""
    rate = settings.nominal_fps or fps
    if not (np.isfinite(rate) and rate > 0):
        raise BadData(f"Magnification needs the clip's frame rate in Hz, more than 0, got {fps}.")
    nyquist = rate if settings.halved_cutoffs else rate / 2
    return butterworth.band_pass(
        colour.signal(rgb, settings.chrom_attenuation), settings.fl / nyquist, settings.fh / nyquist
    )


def _parts(moving: Floats, weights: NDArray[np.float64]) -> Floats:
    """Sums of the bands of every plane, one per row of weights: (T-1)xCxHxW -> (T-1)xCxRxHxW."""
    times, planes, height, width = moving.shape
    parts = np.empty((times, planes, len(weights), height, width), moving.dtype)
    for index in np.ndindex(times, planes):
        images = pyramid.gaussian(moving[index], weights.shape[1])
        for row, part in zip(weights, parts[index], strict=True):
            part[:] = pyramid.weighted(images, row)
    return parts.reshape(times, planes, len(weights), height * width)
