"""Smooth planar warps: thin-plate splines through control points, sampled on a coarse grid and refined."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

SPLINE_STEP = 8  # px between the places where a spline is evaluated; a thin plate is smooth far beyond that


def pixel_grid(height: int, width: int) -> tuple[Floats, Floats]:
    """Pixel coordinates (x, y), each [height, width] float32."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return x, y


def thin_plate_spline(
    targets: Floats, values: Floats, height: int, width: int, step: int = SPLINE_STEP, smoothing: float = 0.0
) -> Floats:
    """A thin-plate spline through `values` [N, 2] at `targets` [N, 2] (x, y), on every pixel: [height, width, 2].

    `step` px between evaluations, filled in by bicubic interpolation. Source: Bookstein 1989.
    """
    columns, rows = np.arange(-step, width + 2 * step, step), np.arange(-step, height + 2 * step, step)
    places = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2).astype(float)
    field = _evaluate_thin_plate(targets, values, smoothing, places)
    coarse = field.reshape(len(rows), len(columns), 2).astype(np.float32)
    x, y = pixel_grid(height, width)
    return np.asarray(cv2.remap(coarse, x / step + 1, y / step + 1, cv2.INTER_CUBIC))


def _evaluate_thin_plate(targets: Floats, values: Floats, smoothing: float, places: Floats) -> Floats:
    """The spline at `places` [M, 2]: affine part and r² log r kernels, solved in units of the targets' own extent."""
    centre, extent = targets.mean(0), np.ptp(targets)
    knots, asked = (targets - centre) / extent, (places - centre) / extent
    affine = np.column_stack([np.ones(len(knots)), knots])
    kernel = _radial_kernel(knots, knots) + smoothing / extent**2 * np.eye(len(knots))
    system = np.block([[kernel, affine], [affine.T, np.zeros((3, 3))]])
    weights = np.linalg.solve(system, np.vstack([values, np.zeros((3, 2))]))
    return np.asarray(
        _radial_kernel(asked, knots) @ weights[:-3] + np.column_stack([np.ones(len(asked)), asked]) @ weights[-3:]
    )


def _radial_kernel(a: Floats, b: Floats) -> Floats:
    squared = (a[:, None, 0] - b[None, :, 0]) ** 2 + (a[:, None, 1] - b[None, :, 1]) ** 2
    return np.asarray(0.5 * squared * np.log(np.maximum(squared, 1e-20)))


def invert_backward_map(back: Floats, sources: Floats, guess: Floats, rounds: int = 30) -> Floats:
    """The places [N, 2] that the backward map `back` [H, W, 2] takes from `sources` [N, 2], by damped iteration."""
    places = guess.copy()
    step = np.linalg.norm(np.ptp(guess, 0)) / np.linalg.norm(np.ptp(sources, 0))
    for _ in range(rounds):
        x, y = (np.ascontiguousarray(places[None, :, axis], np.float32) for axis in (0, 1))
        found = cv2.remap(back, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
        places += 0.7 * step * (sources - found)
    return np.asarray(places)


def sample_image(image: Floats, places: Floats) -> Floats:
    """`image` at `places` [H, W, 2] (x, y) by Lanczos interpolation; beyond the border it is mirrored."""
    x, y = np.ascontiguousarray(places[..., 0], np.float32), np.ascontiguousarray(places[..., 1], np.float32)
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT_101))


def gaussian_blur(image: Floats, sigma: float) -> Floats:
    """Gaussian blur, standard deviation in px, mirrored at the border."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101))


def fill_polygon(points: Floats, height: int, width: int, feather: float) -> Floats:
    """The inside of a closed polygon [N, 2] (x, y) as [height, width] float32 in 0..1, its edge `feather` px soft."""
    filled = np.zeros((height, width), np.uint8)
    cv2.fillPoly(filled, [np.round(np.asarray(points) * 16).astype(np.int32)], 255, shift=4)
    return gaussian_blur(filled.astype(np.float32) / 255, feather)


def smooth_step(value: Floats) -> Floats:
    """The smooth step 3v²-2v³ of `value` clipped to 0..1."""
    v = np.clip(value, 0, 1)
    return np.asarray(v * v * (3 - 2 * v))
