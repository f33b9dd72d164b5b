"""Eulerian video magnification of one clip by many factors, from one temporal filter and one decomposition.

Filter and pyramid are linear, so a clip magnified by alpha is the clip plus a sum of bands times gains(alpha). The
gains of all factors span few dimensions: they are piecewise linear in alpha, and ten factors span 1 to 4. So this
module forms only that many sums, and every factor is a mixture of them. Source: Wu et al. 2012, Eulerian Video
Magnification.

The table shows motion out per motion in at the apex (benchmarks/magnification_gain.py). A face moves by 0.3 / 1 / 2 /
3 px at 40 frames/s and is seen through the flow's blur. In brackets: RMS grey levels of halo.

| size, profile      | factor 1.2                | factor 2.0                 | factor 3.0                       |
| ------------------ | ------------------------- | -------------------------- | -------------------------------- |
| 112x96, corrected  | 1.93 1.84 1.70 1.58 (0-7) | 2.65 2.47 2.10 1.81 (1-12) | 3.60 3.08 2.43 1.98 (1-17)       |
| 112x96, paper      | 0.12 0.15 0.13 0.12 (0-3) | 0.31 0.28 0.25 0.23 (0-3)  | 0.41 0.39 0.39 0.38 (0-4)        |
| 224x280, corrected | 2.03 1.95 1.83 1.74 (0-6) | 2.87 2.59 2.32 2.10 (0-10) | 3.83 3.28 2.76 2.41 (1-15)       |
| 224x280, paper     | 0.23 0.25 0.26 0.25 (0-3) | 0.46 0.45 0.46 0.45 (0-4)  | 0.72 0.69 0.69 0.71 (0-5)        |

The nominal value is 1 + factor. The gain is the same at 20 and at 60 frames/s: the filter of `corrected` passes the
apex of an expression whatever its length (tests/unit/magnifier/test_smoothing.py). No linear method can magnify a
motion longer than the edge that it moves. Memory for 10 frames of 224x280 and ten factors: `magnify_motion` takes 92
MB, of which 75 are its result. The stage holds one factor at a time in floats and takes 50 MB (82 in float64).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from services.magnifier import butterworth, colour, gains, pyramid, smoothing
from services.magnifier.arrays import Bytes, Doubles, Floats
from services.magnifier.preparation import check_factors, prepare_rgb
from shared.errors import BadData
from shared.stage import settings_for_profile
from shared.stage_settings.magnifier import MAGNIFIER_PROFILES, MagnifierSettings


def magnify_motion(
    frames: NDArray[Any],
    factors: Sequence[float],
    profile: str | MagnifierSettings = "corrected",
    fps: float = 30.0,
    dtype: DTypeLike = np.float32,
    times: NDArray[np.float64] | None = None,
) -> Floats:
    """Magnify a clip by each factor: [T, H, W, 3] RGB (uint8, or float 0..1) -> float [F, N, H, W, 3] RGB in 0..1.

    Input 0 (onset) is the steady state. N is T, and output 0 is the onset. With the setting `first_frame` "dropped" it
    is T-1, and output k belongs to input k+1. `fps` is the frame rate of `frames` in Hz. `times` [T], s, replace it
    where the frames are not evenly spaced. `dtype` is that of the computation and of the result.
    Raises BadData for frames of another shape or type, a frame rate that is not positive, and negative factors.
    """
    settings = settings_for_profile(profile, MAGNIFIER_PROFILES)
    rgb = prepare_rgb(frames, dtype, settings)
    mixtures, moments = _prepare_mixtures(rgb, factors, settings, fps, times)
    shown = len(rgb) - len(moments) if settings.first_frame == "shown" else 0
    out = np.empty((len(mixtures), shown + len(moments), *rgb.shape[1:]), rgb.dtype)
    out[:, :shown] = rgb[:shown]
    for index, (frame, top, part) in enumerate(moments, shown):  # all factors while this frame is in the CPU's cache
        for mixture, clip in zip(mixtures, out, strict=True):
            colour.add_in_gamut(frame, top, mixture @ part, clip[index])
    return out


def magnify_each(
    frames: NDArray[Any],
    factors: Sequence[float],
    profile: str | MagnifierSettings = "corrected",
    fps: float = 30.0,
    dtype: DTypeLike = np.float32,
    times: NDArray[np.float64] | None = None,
) -> Iterator[Floats]:
    """As `magnify_motion`, one factor at a time: yields [N, H, W, 3] in 0..1.

    All factors share one buffer: a result is valid until the next one is requested.
    """
    settings = settings_for_profile(profile, MAGNIFIER_PROFILES)
    rgb = prepare_rgb(frames, dtype, settings)
    mixtures, moments = _prepare_mixtures(rgb, factors, settings, fps, times)
    shown = len(rgb) - len(moments) if settings.first_frame == "shown" else 0
    out = np.empty((shown + len(moments), *rgb.shape[1:]), rgb.dtype)
    out[:shown] = rgb[:shown]
    for mixture in mixtures:
        for (frame, top, part), target in zip(moments, out[shown:], strict=True):
            colour.add_in_gamut(frame, top, mixture @ part, target)
        yield out


def quantise_frames(frames: Floats) -> Bytes:
    """Floats 0..1 of any shape -> uint8 of this shape; halves go up, as in MATLAB's im2uint8."""
    scaled: Floats = frames * frames.dtype.type(255)
    scaled += frames.dtype.type(0.5)
    return scaled.astype(np.uint8)


def _prepare_mixtures(
    rgb: Floats,
    factors: Sequence[float],
    settings: MagnifierSettings,
    fps: float,
    times: NDArray[np.float64] | None,
) -> tuple[Floats, list[tuple[Floats, Floats, Floats]]]:
    """What all factors share: mixtures [F, R], and three arrays for each output frame.

    These are its RGB [H, W, 3], its brightest channel [HW] and the band sums [C, R, HW] that the mixtures weight.
    """
    alphas = check_factors(factors)
    mixtures, weights = _factorise_gains(gains.band_gains(rgb.shape[1], rgb.shape[2], alphas, settings))
    signal = colour.signal_to_magnify(rgb, settings.chrom_attenuation)
    parts = _sum_bands(filter_changes(signal, settings, fps, times), weights)
    tops = colour.brightest_channel(rgb[1:]).reshape(len(parts), -1)
    return np.ascontiguousarray(mixtures, rgb.dtype), list(zip(rgb[1:], tops, parts, strict=True))


def _factorise_gains(rows: Doubles) -> tuple[Doubles, Doubles]:
    """[F, B] gains -> [F, R] mixtures and [R, B] weights with that product, for the smallest R."""
    used = rows.any(axis=0)
    left, sizes, right = np.linalg.svd(rows[:, used], full_matrices=False)
    rank = int((sizes > 1e-12 * sizes.max(initial=1e-300)).sum())
    weights = np.zeros((rank, rows.shape[1]))
    weights[:, used] = right[:rank]
    return left[:, :rank] * sizes[:rank], weights


def filter_changes(
    signal: Floats, settings: MagnifierSettings, fps: float, times: NDArray[np.float64] | None = None
) -> Floats:
    """The part of the change against frame 0 that is magnified: [T, ...] -> [T-1, ...].

    `fps` in Hz; `times` [T], s, replace it where frames are not evenly spaced. Raises BadData as `magnify_motion`.
    """
    rate = settings.nominal_fps or fps
    if not (np.isfinite(rate) and rate > 0):
        raise BadData(f"Magnification needs the clip's frame rate in Hz, more than 0, got {fps}.")
    low, high = (cutoff / (2 if settings.halved_cutoffs else 1) for cutoff in (settings.fl, settings.fh))
    if settings.temporal_filter == "causal":
        return butterworth.band_pass(signal, low / (rate / 2), high / (rate / 2))
    if times is None or settings.nominal_fps:
        times = np.arange(len(signal)) / rate
    if times.shape != (len(signal),) or not np.isfinite(times).all() or not (np.diff(times) > 0).all():
        raise BadData(
            f"Magnification needs one time per frame, {len(signal)} that increase, got {times.tolist()}: "
            "run the interpolator again."
        )
    return smoothing.smooth_changes(signal, times, low, high)


def _sum_bands(moving: Floats, weights: Doubles) -> Floats:
    """Sums of the bands of every plane, one for each of R rows of weights: [T-1, C, H, W] -> [T-1, C, R, HW]."""
    times, planes, height, width = moving.shape
    parts = np.empty((times, planes, len(weights), height, width), moving.dtype)
    for index in np.ndindex(times, planes):
        images = pyramid.gaussian_levels(moving[index], weights.shape[1])
        for number, row in enumerate(weights):
            parts[index][number] = pyramid.sum_weighted_bands(images, row)
    return parts.reshape(times, planes, len(weights), height * width)
