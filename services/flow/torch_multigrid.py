"""The linear solver on tensors: a fixed number of conjugate gradients, preconditioned by a multigrid cycle.

Systems and coarse grids are those of `services.flow.multigrid`. The compiled path splits red from black; here every
grid is whole and relaxed by two damped Jacobi sweeps (a Chebyshev polynomial of degree 2). So all pairs of a batch and
both components go through one launch. Nothing is read back while it runs, so a GPU never waits.

Equal bits: the solver uses only additions, multiplications and divisions of whole tensors, each rounded by itself, and
sums in an order that is written out. So a pair's flow depends neither on its batch nor on the number of threads. Nor
does it depend on the device, if that rounds as IEEE 754 says.

Sources: Briggs, Henson & McCormick, "A Multigrid Tutorial" (2000); Adams et al. (2003), "Parallel multigrid smoothing:
polynomial versus Gauss-Seidel".
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from services.flow.multigrid import COARSEST

COARSEST_SWEEPS = 6  # on the coarsest level
DOT_TILE = 1024  # pixels whose products a dot product adds first; a power of two
# Chebyshev's steps for errors that a coarser grid cannot represent: eigenvalues 0.5 to 2 of the Jacobi-scaled stencil
CHEBYSHEV_STEPS = tuple(1 / (1.25 + 0.75 * math.cos(math.pi * (2 * k + 1) / 4)) for k in range(2))


class FlowField:
    """(du, dv) on a grid, px: `values` [B, 2, H, W], zero at first, with a row of zeros above and below.

    `around` [B, 2, 2, 2, H, W] is a view: the neighbours of every pixel, [[up, right], [left, down]]. The left
    neighbour of the first column is the last one of the row above, and the weight of that edge is zero.
    """

    def __init__(self, batch: int, height: int, width: int, like: Tensor) -> None:
        whole = like.new_zeros(batch, 2, height + 2, width)
        plane = (height + 2) * width
        self.values = whole[:, :, 1:-1]
        self.around = whole.as_strided(
            (batch, 2, 2, 2, height, width), (2 * plane, width - 1, width + 1, plane, width, 1)
        )


@dataclass
class GridLevel:
    """One grid's operator and its unknowns x."""

    edges: Tensor  # [B, 2, 2, 2, H, W] weights, as in `FlowField.around`
    data: Tensor  # [B, 3, H, W]: wd Ix^2, wd Ix Iy, wd Iy^2, ridge included
    inverses: tuple[Tensor, ...]  # [B, 3, H, W] for each of CHEBYSHEV_STEPS: inverse diagonal blocks times the step
    x: FlowField


def build_level(right: Tensor, down: Tensor, data: Tensor) -> GridLevel:
    """A grid from its edge weights to the right and downwards [B, 2, H, W] and its data terms [B, 3, H, W]."""
    batch, _, height, width = right.shape
    edges = right.new_zeros(batch, 2, 2, 2, height, width)
    edges[:, 0, 1], edges[:, 1, 1] = right, down
    edges[:, 0, 0, :, 1:] = down[..., :-1, :]
    edges[:, 1, 0, :, :, 1:] = right[..., :-1]
    blocks = inverse_blocks(data, sum_over_neighbours(edges))
    return GridLevel(
        edges, data, tuple(blocks * step for step in CHEBYSHEV_STEPS), FlowField(batch, height, width, right)
    )


def inverse_blocks(data: Tensor, edges: Tensor) -> Tensor:
    """Inverses [B, 3, H, W] of the blocks [[a + u, b], [b, c + v]] for a c >= b^2.

    data: [B, 3, H, W], a, b and c; edges: [B, 2, H, W], u and v. The determinant is a sum that cannot cancel.
    """
    a, b, c = data.unbind(1)
    u, v = edges.unbind(1)
    determinant = (a * c - b * b).clamp_min(0) + a * v + c * u + u * v
    return torch.stack([c + v, -b, a + u], 1) / determinant.clamp_min(1e-30)[:, None]


def build_levels(right: Tensor, down: Tensor, data: Tensor) -> list[GridLevel]:
    """The finest level and all coarser ones, from edge weights [B, 2, H, W] and data terms [B, 3, H, W]."""
    levels = [build_level(right, down, data)]
    while max(data.shape[2:]) > COARSEST:
        height, width = data.shape[2:]
        right, down = (functional.pad(plane, (0, width % 2, 0, height % 2)) for plane in (right, down))
        across, along = right[..., 1::2], down[..., 1::2, :]
        right = (across[..., ::2, :] + across[..., 1::2, :]) * 0.5
        down = (along[..., ::2] + along[..., 1::2]) * 0.5
        data = restrict_batch(data)
        levels.append(build_level(right, down, data))
    return levels


def restrict_batch(fine: Tensor) -> Tensor:
    """Sums over 2 x 2 pixels: [B, C, H, W] -> [B, C, ceil(H/2), ceil(W/2)]."""
    height, width = fine.shape[2:]
    coarse = fine[..., ::2, ::2].clone()
    coarse[..., : width // 2].add_(fine[..., ::2, 1::2])
    coarse[..., : height // 2, :].add_(fine[..., 1::2, ::2])
    coarse[..., : height // 2, : width // 2].add_(fine[..., 1::2, 1::2])
    return coarse


def prolong_batch(coarse: Tensor, fine: Tensor) -> None:
    """Add the value of each coarse pixel [B, C, ceil(H/2), ceil(W/2)] to its 2 x 2 pixels of `fine` [B, C, H, W]."""
    height, width = fine.shape[2:]
    for y in range(2):
        for x in range(2):
            fine[..., y::2, x::2].add_(coarse[..., : (height + 1 - y) // 2, : (width + 1 - x) // 2])


def sum_over_neighbours(edges: Tensor) -> Tensor:
    """Sum over the four neighbours: [B, 2, 2, 2, H, W] -> [B, 2, H, W]."""
    pairs = edges[:, 0] + edges[:, 1]
    return pairs[:, 0] + pairs[:, 1]


def multiply_blocks(block: Tensor, x: Tensor) -> Tensor:
    """Symmetric 2 x 2 blocks [B, 3, H, W] times (du, dv) [B, 2, H, W]."""
    product, cross = block[:, ::2] * x, block[:, 1:2] * x
    product[:, 0].add_(cross[:, 1])
    product[:, 1].add_(cross[:, 0])
    return product


def apply_operator(grid: GridLevel, x: FlowField) -> Tensor:
    """The operator applied to x: [B, 2, H, W]. Neighbours enter as differences, which keeps smooth fields exact."""
    fluxes = (x.around - x.values[:, None, None]).mul_(grid.edges)
    return multiply_blocks(grid.data, x.values).sub_(sum_over_neighbours(fluxes))


def relax_jacobi(grid: GridLevel, right: Tensor, step: int) -> None:
    """One damped Jacobi sweep of the grid's unknowns for the right-hand side `right` [B, 2, H, W]; `step` is 0 or 1."""
    wanted = multiply_blocks(grid.inverses[step], sum_over_neighbours(grid.x.around * grid.edges).add_(right))
    grid.x.values.mul_(1 - CHEBYSHEV_STEPS[step]).add_(wanted)


def relax_from_zero(grid: GridLevel, right: Tensor) -> None:
    """Both sweeps from zero for the right-hand side `right` [B, 2, H, W]."""
    grid.x.values.copy_(multiply_blocks(grid.inverses[0], right))
    relax_jacobi(grid, right, 1)


def apply_v_cycle_batch(levels: list[GridLevel], right: Tensor) -> Tensor:
    """One symmetric V-cycle from zero for `right` [B, 2, H, W]; returns the finest level's unknowns, not a copy."""
    rights = [right]
    for grid in levels[:-1]:
        relax_from_zero(grid, rights[-1])
        rights.append(restrict_batch(rights[-1] - apply_operator(grid, grid.x)))
    relax_from_zero(levels[-1], rights[-1])
    for sweep in range(COARSEST_SWEEPS):
        relax_jacobi(levels[-1], rights[-1], sweep % 2)
    for k in range(len(levels) - 2, -1, -1):
        prolong_batch(levels[k + 1].x.values, levels[k].x.values)
        for step in range(2):
            relax_jacobi(levels[k], rights[k], step)
    return levels[0].x.values


def dot_product_batch(a: Tensor, b: Tensor) -> Tensor:
    """Dot products of a and b [B, 2, H, W] for each pair: [B, 1, 1, 1], in the order of `triton_multigrid`.

    The products of DOT_TILE pixels are added, then the sums of those tiles.
    """
    products = (a * b).flatten(2)
    products = functional.pad(products[:, 0] + products[:, 1], (0, -products.shape[2] % DOT_TILE))
    sums = fold_halves(products.unflatten(1, (-1, DOT_TILE)))
    return fold_halves(functional.pad(sums, (0, next_power_of_two(sums.shape[1]) - sums.shape[1])))[:, None, None, None]


def fold_halves(values: Tensor) -> Tensor:
    """Sums [...] over the last axis of [..., N], N a power of two: halves are added until one number is left."""
    while (half := values.shape[-1] // 2) > 0:
        values = values[..., :half] + values[..., half:]
    return values[..., 0]


def next_power_of_two(count: int) -> int:
    """The smallest power of two that is at least `count`."""
    return 1 << (count - 1).bit_length()


def safe_ratio(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, any shape; 0 where `whole` is 0, since nothing is left to solve there."""
    return torch.where(whole > 0, part / whole, 0.0)


def solve_system_batch(levels: list[GridLevel], right: Tensor, iterations: int) -> Tensor:
    """(du, dv) [B, 2, H, W], px, with operator (du, dv) = right [B, 2, H, W], after `iterations` steps."""
    finest = levels[0]
    solution, residual = torch.zeros_like(right), right.clone()
    direction = FlowField(len(right), *right.shape[2:], right)
    energy = torch.zeros_like(right[:, :1, :1, :1])
    for _ in range(iterations):
        preconditioned = apply_v_cycle_batch(levels, residual)
        before, energy = energy, dot_product_batch(residual, preconditioned)
        direction.values.mul_(safe_ratio(energy, before)).add_(preconditioned)
        image = apply_operator(finest, direction)
        length = safe_ratio(energy, dot_product_batch(direction.values, image))
        solution.add_(direction.values * length)
        residual.sub_(image.mul_(length))
    return solution
