"""Smooth planar warps: thin-plate splines through control points, sampled on a coarse grid and refined."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator  # type: ignore[import-untyped]

Floats = NDArray[np.floating[Any]]

SPLINE_STEP = 8  # px between evaluations of a spline; a thin plate is smooth over much larger distances


def pixel_grid(height: int, width: int) -> tuple[Floats, Floats]:
    """Pixel coordinates (x, y), each float32 [height, width]."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return x, y


def thin_plate_spline(
    targets: Floats, values: Floats, height: int, width: int, step: int = SPLINE_STEP, smoothing: float = 0.0
) -> Floats:
    """A thin-plate spline through `values` [N, 2] at `targets` [N, 2] (x, y): float32 [height, width, 2], each pixel.

    The spline is evaluated every `step` px; bicubic interpolation fills the pixels between. Source: Bookstein 1989.
    """
    columns, rows = np.arange(-step, width + 2 * step, step), np.arange(-step, height + 2 * step, step)
    points = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2).astype(float)
    field = RBFInterpolator(targets, values, kernel="thin_plate_spline", smoothing=smoothing)(points)
    coarse = field.reshape(len(rows), len(columns), 2).astype(np.float32)
    x, y = pixel_grid(height, width)
    return np.asarray(cv2.remap(coarse, x / step + 1, y / step + 1, cv2.INTER_CUBIC))


def invert_backward_map(back: Floats, sources: Floats, guess: Floats, rounds: int = 30) -> Floats:
    """The points [N, 2] that the backward map `back` [H, W, 2] takes to `sources` [N, 2], by damped iteration.

    `guess` [N, 2] are the first points. All are (x, y) in px.
    """
    points = guess.copy()
    step = np.linalg.norm(np.ptp(guess, 0)) / np.linalg.norm(np.ptp(sources, 0))
    for _ in range(rounds):
        x, y = (np.ascontiguousarray(points[None, :, axis], np.float32) for axis in (0, 1))
        found = cv2.remap(back, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
        points += 0.7 * step * (sources - found)
    return np.asarray(points)


def sample_image(image: Floats, points: Floats) -> Floats:
    """`image` [h, w] or [h, w, 3] at `points` [H, W, 2] (x, y), px, by Lanczos; mirrored at the border."""
    x, y = np.ascontiguousarray(points[..., 0], np.float32), np.ascontiguousarray(points[..., 1], np.float32)
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT_101))


def gaussian_blur(image: Floats, sigma: float) -> Floats:
    """Gaussian blur of an image [H, W] or [H, W, 3], standard deviation `sigma` px, mirrored at the border."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101))


def fill_polygon(points: Floats, height: int, width: int, feather: float) -> Floats:
    """The inside of a closed polygon [N, 2] (x, y) as float32 [height, width] in 0..1, its edge `feather` px soft."""
    filled = np.zeros((height, width), np.uint8)
    cv2.fillPoly(filled, [np.round(np.asarray(points) * 16).astype(np.int32)], 255, shift=4)
    return gaussian_blur(filled.astype(np.float32) / 255, feather)


def smooth_step(value: Floats) -> Floats:
    """The smooth step 3v²-2v³ of `value` clipped to 0..1; any shape."""
    v = np.clip(value, 0, 1)
    return np.asarray(v * v * (3 - 2 * v))
