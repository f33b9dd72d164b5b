"""The warps of a pyramid level on a GPU: launches of the kernels in `triton_linearise` and `triton_multigrid`."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from services.flow import triton_level
from services.flow import triton_linearise as linearise
from services.flow import triton_multigrid as solver
from services.flow.multigrid import COARSEST
from services.flow.robust import quadratic_weight
from services.flow.torch_multigrid import CHEBYSHEV_STEPS, COARSEST_SWEEPS, DOT_TILE, next_power_of_two
from shared.stage_settings.flow import FlowSettings

LEVEL_PLANES = triton_level.PLANES_PER_LEVEL.value
X, Y = triton_level.X.value, triton_level.Y.value
SOLUTION, DIRECTION = triton_level.SOLUTION.value, triton_level.DIRECTION.value
BLOCK, BLOCK_WARPS = 256, 8  # pixels and warps of a program; one pixel per thread reads neighbours best
TILE_WARPS = 8  # of programs that add products over a tile, and of those for a pair's small levels
MIN_SLOTS = 64  # places for the sums of tiles; more than needed add zeros, and kernels are compiled once
STEPS = tuple((step, 1 - step) for step in CHEBYSHEV_STEPS)  # of the two sweeps, and what they keep
ALIGNMENT = 16  # floats: levels start at multiples, so that loads are as wide as the hardware's


@dataclass(frozen=True)
class KernelLevel:
    """A level's size, and the work buffer from its planes [B, LEVEL_PLANES, height * width] on."""

    height: int
    width: int
    planes: Tensor

    @property
    def count(self) -> int:
        """Pixels of a plane."""
        return self.height * self.width

    @property
    def size(self) -> tuple[int, int, int]:
        """Height, width and their product."""
        return self.height, self.width, self.count


def level_places(shape: tuple[int, int]) -> list[tuple[int, int, int]]:
    """Where each level starts in the buffer (floats per pair), its height and width; then where the last one ends."""
    places, start = [], 0
    while True:
        places.append((start, *shape))
        start += -(-LEVEL_PLANES * shape[0] * shape[1] // ALIGNMENT) * ALIGNMENT
        if max(shape) <= COARSEST:
            return [*places, (start, 0, 0)]
        shape = (shape[0] + 1) // 2, (shape[1] + 1) // 2


@lru_cache(maxsize=256)
def level_table(shape: tuple[int, int], device: torch.device) -> Tensor:
    """`level_places` on the device, int64 [levels + 1, 3]; cached, since a copy would wait for the device."""
    return torch.tensor(level_places(shape), device=device)


class KernelSolver:
    """Increments of a batch of pairs at one size. Its buffers serve every warp."""

    def __init__(self, batch: int, shape: tuple[int, int], device: torch.device) -> None:
        self.batch = batch
        *places, (end, *_) = level_places(shape)
        self.table = level_table(shape, device)
        self.work = torch.empty(batch * end, device=device)
        self.levels = [KernelLevel(height, width, self.work[batch * start :]) for start, height, width in places]
        # The first level that one program holds. The finest is never, as its sweeps also give the dot products.
        self.small = next((k for k, level in enumerate(self.levels) if k and level.count <= DOT_TILE), len(places))
        self.tiles = -(-self.levels[0].count // DOT_TILE)
        self.slots = max(MIN_SLOTS, next_power_of_two(self.tiles))
        self.energies = torch.empty(2, batch, self.tiles, device=device)
        self.curvatures = torch.empty(batch, self.tiles, device=device)
        self.pulled = torch.empty(batch, *shape, device=device)

    def solve_increment(
        self, first: Tensor, second: Tensor, uv: Tensor, alpha: float, settings: FlowSettings, iterations: int
    ) -> Tensor:
        """Increment [B, 2, H, W] of one warp at uv [B, 2, H, W], px, not clamped; images [B, H, W].

        The result is a view of a buffer that the next call overwrites.
        """
        self._build_system(first.contiguous(), second.contiguous(), uv.contiguous(), alpha, settings)
        self.energies[1].zero_()  # there is no earlier direction
        for iteration in range(iterations):
            self._apply_v_cycle(self.energies[iteration % 2])
            self._advance(iteration)
        height, width, count = self.levels[0].size
        planes = self.work[: self.batch * LEVEL_PLANES * count].view(self.batch, LEVEL_PLANES, height, width)
        return planes[:, SOLUTION : SOLUTION + 2]

    def _launch(self, kernel: Any, pixels: int, *args: Any, tiled: bool = False, **constants: Any) -> None:
        block, warps = (DOT_TILE, TILE_WARPS) if tiled else (BLOCK, BLOCK_WARPS)
        grid = -(-pixels // block), self.batch
        kernel[grid](*args, BLOCK=block, num_warps=warps, **constants, **triton_level.EXACT)

    def _build_system(self, first: Tensor, second: Tensor, uv: Tensor, alpha: float, settings: FlowSettings) -> None:
        finest = self.levels[0]
        sampling = {"CUBIC": settings.interpolation == "cubic", "STILL": settings.outside == "first"}
        self._launch(linearise.warp_kernel, finest.count, first, second, uv, self.pulled, *finest.size, **sampling)
        energy = (
            2 * settings.sigma_data**2,
            alpha * quadratic_weight(settings.sigma_data),
            2 * (1 - alpha),
            2 * settings.sigma_spatial**2,
            alpha * settings.lambda_quadratic * quadratic_weight(settings.sigma_spatial),
            2 * (1 - alpha) * settings.lambda_robust,
            settings.ridge,
        )
        arrays = first, self.pulled, uv, finest.planes
        ignored = settings.outside == "ignored"
        self._launch(
            linearise.linearise_kernel, finest.count, *arrays, *finest.size, *map(float, energy), IGNORED=ignored
        )
        for fine, coarse in zip(self.levels, self.levels[1:], strict=False):
            self._launch_between(linearise.coarsen_kernel, fine, coarse)

    def _launch_between(self, kernel: Any, fine: KernelLevel, coarse: KernelLevel) -> None:
        """Launch a kernel that computes pixels of the level `coarse` from those of `fine`."""
        self._launch(kernel, coarse.count, fine.planes, coarse.planes, *fine.size, coarse.width, coarse.count)

    def _apply_v_cycle(self, sums: Tensor) -> None:
        """One V-cycle from zero for the residual, into X of the finest level; sums: their products by tile."""
        last, large = len(self.levels) - 1, self.levels[: self.small]
        for fine, coarse in zip(large, self.levels[1:], strict=False):
            self._relax_twice(fine)
            self._launch_between(solver.restrict_kernel, fine, coarse)
        if last == 0:
            self._solve_only_level(sums)
            return
        self._solve_small_levels(last)
        for k in reversed(range(len(large))):
            fine, coarse = self.levels[k], self.levels[k + 1]
            args = fine.planes, coarse.planes, fine.width, fine.count, coarse.width, coarse.count, *STEPS[0]
            self._launch(solver.prolong_kernel, fine.count, *args)
            self._relax(fine, sums, 1, dot=k == 0)

    def _solve_small_levels(self, last: int) -> None:
        args = self.work, self.table, self.small, last, self.batch, *STEPS[0], *STEPS[1]
        solver.coarse_cycle_kernel[(self.batch,)](*args, num_warps=TILE_WARPS, **triton_level.EXACT)

    def _solve_only_level(self, sums: Tensor) -> None:
        """The V-cycle of images so small that there is no coarser level."""
        self._relax_twice(self.levels[0])
        for sweep in range(COARSEST_SWEEPS):
            self._relax(self.levels[0], sums, sweep % 2, dot=sweep == COARSEST_SWEEPS - 1)

    def _relax_twice(self, level: KernelLevel) -> None:
        args = level.planes, level.width, level.count, STEPS[0][0], *STEPS[1]
        self._launch(solver.relax_twice_kernel, level.count, *args)

    def _relax(self, level: KernelLevel, sums: Tensor, step: int, dot: bool = False) -> None:
        """The first sweep (0) reads X and writes Y, the second one (1) the reverse."""
        source, target = ((X, Y), (Y, X))[step]
        args = level.planes, sums, level.width, level.count, *STEPS[step]
        self._launch(solver.relax_kernel, level.count, *args, tiled=dot, SOURCE=source, TARGET=target, DOT=dot)

    def _advance(self, iteration: int) -> None:
        """One step of the conjugate gradients, after the V-cycle."""
        finest, now = self.levels[0], iteration % 2
        old, new = DIRECTION + 2 * now, DIRECTION + 2 * (1 - now)
        energy, before = self.energies[now], self.energies[1 - now]
        args = finest.planes, energy, before, self.curvatures, finest.width, finest.count, self.tiles
        self._launch(solver.search_kernel, finest.count, *args, tiled=True, OLD=old, NEW=new, SLOTS=self.slots)
        args = finest.planes, energy, self.curvatures, finest.count, self.tiles
        self._launch(solver.advance_kernel, finest.count, *args, tiled=True, NEW=new, SLOTS=self.slots)
