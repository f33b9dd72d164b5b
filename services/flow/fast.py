"""The compiled path: one pair at a time per thread, float32, every pair in the same reused work buffers."""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from services.flow import linearise, multigrid, pyramid
from services.flow.pyramid import Axes, Taps
from services.flow.resample import resample_image
from services.flow.robust import quadratic_weight
from shared.stage_settings.flow import FlowSettings

Image = NDArray[np.float32]
# Measured at 224 x 280 on clean, noisy and magnified faces: 3e-5 px on average, 0.02 px at most from the exact solver.
SWEEPS = 2  # half sweeps of either colour per level and direction of a V-cycle
ITERATIONS = 12  # most conjugate gradients per system
TOLERANCE = 0.02  # px: an iteration that changes less is the last


def estimate_flow_fast(first: NDArray[Any], second: NDArray[Any], settings: FlowSettings) -> Image:
    """Flow of N pairs: [N, H, W] grey on 0..255, twice -> float32 [N, 2, H, W], px.

    `numba.get_num_threads()` threads share the pairs (NUMBA_NUM_THREADS, numba.set_num_threads), with the interpreter's
    lock released. One thread alone computes a pair, so neither the number of threads nor the other pairs change a byte.
    Memory: some 250 bytes per pixel and thread (16 MB at 224 x 280), besides input and output.
    """
    flows = np.empty((len(first), 2, *first.shape[1:]), np.float32)
    threads = max(1, min(numba.get_num_threads(), len(first)))
    chunks = [range(thread, len(first), threads) for thread in range(threads)]

    def solve_chunk(chunk: range) -> None:
        solver = PairSolver(first.shape[1:], settings)
        for i in chunk:
            solver.solve_pair(first[i].astype(np.float32, "C"), second[i].astype(np.float32, "C"), flows[i])

    if threads == 1:
        solve_chunk(chunks[0])
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(solve_chunk, chunks))
    return flows


@lru_cache(maxsize=256)
def _float32_taps(make_taps: Any, *args: Any) -> Taps:
    """Taps in the kernels' precision."""
    taps = make_taps(*args)
    return Taps(taps.index, taps.weights.astype(np.float32))


def _taps_of_axes(shape: tuple[int, int], make_taps: Any, *args: Any) -> Axes:
    return _float32_taps(make_taps, shape[0], *args), _float32_taps(make_taps, shape[1], *args)


def _resample_axes(image: Image, axes: Axes, factor: float, out: Image) -> None:
    rows, columns = axes
    resample_image(image, rows.index, rows.weights, columns.index, columns.weights, factor, out)


@lru_cache(maxsize=64)
def _energy_constants(alpha: float, settings: FlowSettings) -> Image:
    """float32 [7] constants of a GNC stage's weights.

    Quadratic part, Lorentzian numerator and 2 sigma^2 of the data term; the ridge; the same three of the spatial term.
    """
    data, spatial = settings.sigma_data, settings.sigma_spatial
    robust = 1.0 - alpha
    constants = (
        alpha * quadratic_weight(data),
        robust * 2.0,
        2.0 * data**2,
        settings.ridge,
        alpha * settings.lambda_quadratic * quadratic_weight(spatial),
        robust * settings.lambda_robust * 2.0,
        2.0 * spatial**2,
    )
    return np.array(constants, np.float32)


class PairSolver:
    """Solves pairs of one shape [H, W] in the same work buffers, with the resampling taps of that shape."""

    def __init__(self, shape: tuple[int, int], settings: FlowSettings) -> None:
        self.settings = settings
        self.steps = pyramid.level_schedule(shape, settings)
        blur = settings.blur_size, settings.blur_sigma, settings.border
        self.blur = _taps_of_axes(shape, pyramid.blur_taps, *blur)
        self.sharp = (np.empty(shape, np.float32), np.empty(shape, np.float32))
        self.coarse = {  # each level is built from the finer one before it
            (step.spacing, step.level): (np.empty(step.shape, np.float32), np.empty(step.shape, np.float32))
            for step in sorted(self.steps, key=lambda step: step.level)
            if step.level
        }
        self.grids = {size: LevelSolver(size, settings) for size in {step.shape for step in self.steps}}

    def solve_pair(self, first: Image, second: Image, out: Image) -> None:
        """Write the flow of a pair of float32 images [H, W] to `out` [2, H, W], px."""
        self.build_pyramids(first, second)
        uv = None
        for step in self.steps:
            images = self.coarse.get((step.spacing, step.level), self.sharp)
            uv = self.grids[step.shape].refine_flow(images, uv, step.alpha)
        out[:] = uv

    def build_pyramids(self, first: Image, second: Image) -> None:
        """Write the blurred images [H, W] to `sharp` and the coarse levels of every pyramid to `coarse`."""
        for image, sharp in zip((first, second), self.sharp, strict=True):
            _resample_axes(image, self.blur, 1.0, sharp)
        for (spacing, level), images in self.coarse.items():
            finer = self.coarse.get((spacing, level - 1), self.sharp)
            taps = _taps_of_axes(finer[0].shape, pyramid.shrink_taps, spacing)
            for image, coarser in zip(finer, images, strict=True):
                _resample_axes(image, taps, 1.0, coarser)


class LevelSolver:
    """Warps and solves at one size [h, w]."""

    def __init__(self, shape: tuple[int, int], settings: FlowSettings) -> None:
        self.settings = settings
        self.uv = np.zeros((2, *shape), np.float32)
        margin = 2 * linearise.MARGIN
        self.pulled = np.zeros((shape[0] + margin, shape[1] + margin), np.float32)
        self.grid = multigrid.make_grid(shape)
        height, _, self.stride, _ = (int(n) for n in self.grid.levels[0])
        cells = (height + 3) * self.stride
        self.planes = self.grid.buffer[: multigrid.PLANES * cells].reshape(multigrid.PLANES, cells)

    def refine_flow(self, images: tuple[Image, Image], uv: Image | None, alpha: float) -> Image:
        """The flow [2, h, w], px, after this level's warps of images [h, w], from `uv` [2, any size] (None: zero)."""
        self._set_initial_flow(uv)
        energy = _energy_constants(alpha, self.settings)
        for _ in range(self.settings.warps):
            self._build_system(*images, energy)
            multigrid.solve_system(self.grid.buffer, self.grid.levels, SWEEPS, ITERATIONS, TOLERANCE)
            linearise.apply_increment(
                self.uv, self.planes, self.stride, self.settings.limit, multigrid.SOLUTION, multigrid.X_BLACK
            )
        return self.uv

    def _build_system(self, first: Image, second: Image, energy: Image) -> None:
        """Write the linear system of the increment at the present flow to the grid."""
        still = self.settings.outside == "first"
        warp = linearise.warp_cubic if self.settings.interpolation == "cubic" else linearise.warp_linear
        warp(first, second, self.uv, still, self.pulled)
        outside = 1.0 if still else 0.0
        linearise.linearise_at_flow(first, self.pulled, self.uv, self.planes, self.stride, energy, outside)

    def _set_initial_flow(self, uv: Image | None) -> None:
        if uv is None:
            self.uv[:] = 0.0
        elif uv is not self.uv:
            (height, width), shape = uv.shape[1:], self.uv.shape[1:]
            axes = (
                _float32_taps(pyramid.resize_taps, height, shape[0]),
                _float32_taps(pyramid.resize_taps, width, shape[1]),
            )
            for own, component, ratio in zip(self.uv, uv, self._flow_ratios(uv), strict=True):
                _resample_axes(component, axes, ratio, own)

    def _flow_ratios(self, uv: Image) -> tuple[float, float]:
        """The factors of u and v that come from the level of `uv` to this one."""
        height, width = (own / other for own, other in zip(self.uv.shape[1:], uv.shape[1:], strict=True))
        return (height if self.settings.rescale == "height" else width), height
