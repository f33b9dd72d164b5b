"""Kernels of the linear solver: multigrid cycle and conjugate gradients, as in `torch_multigrid`."""

import triton
import triton.language as tl

from services.flow.torch_multigrid import COARSEST_SWEEPS, DOT_TILE
from services.flow.triton_level import (
    DATA,
    DOWN,
    IMAGE,
    INVERSE,
    RIGHT,
    RIGHT_SIDE,
    SOLUTION,
    X,
    Y,
    level_of_pair,
    neighbour_masks,
    pixels_of_block,
    read_block,
    read_neighbours,
    read_values,
    write_pair,
    write_values,
)

TILE_PIXELS, SWEEPS = tl.constexpr(DOT_TILE), tl.constexpr(COARSEST_SWEEPS)


@triton.jit
def multiply_block(a, b, c, u, v):
    """The symmetric block [[a, b], [b, c]] times (u, v)."""
    return a * u + b * v, c * v + b * u


@triton.jit
def read_edges(level, component, at, mask, up, left, width, count):
    """Weights of the edges up, left, right and down for a component (0: du, 1: dv)."""
    right, down = level + (RIGHT + component) * count, level + (DOWN + component) * count
    return (
        read_values(down, at - width, up),
        read_values(right, at - 1, left),
        read_values(right, at, mask),
        read_values(down, at, mask),
    )


@triton.jit
def sum_products(x, edges):
    """Sum over the four neighbours of value times weight."""
    return (x[0] * edges[0] + x[1] * edges[1]) + (x[2] * edges[2] + x[3] * edges[3])


@triton.jit
def sum_fluxes(here, x, edges):
    """Sum over the four neighbours of difference times weight."""
    return ((x[0] - here) * edges[0] + (x[1] - here) * edges[1]) + ((x[2] - here) * edges[2] + (x[3] - here) * edges[3])


@triton.jit
def add_halves(values, SIZE: tl.constexpr):
    """The sum of `values` [SIZE], a power of two: halves are added until one number is left."""
    if SIZE > 1:  # noqa: SIM108 (a branch that is not taken must not be compiled)
        values = add_halves(tl.sum(tl.reshape(values, (2, SIZE // 2)), 0), SIZE // 2)
    else:
        values = tl.sum(values, 0)
    return values


@triton.jit
def sum_tiles(sums, pair, tiles, SLOTS: tl.constexpr):
    """A pair's dot product from the sums of its tiles [B, tiles]."""
    slot = tl.arange(0, SLOTS)
    return add_halves(tl.load(sums + pair * tiles + slot, mask=slot < tiles, other=0.0), SLOTS)


@triton.jit
def divide_or_zero(part, whole):
    """part / whole; 0 where `whole` is not positive."""
    return tl.where(whole > 0, tl.div_rn(part, whole), 0.0)


@triton.jit
def start_value(level, count, at, mask, step):
    """The unknowns after one sweep from zero."""
    a, b, c = read_block(level, INVERSE, count, at, mask)
    right_side = level + RIGHT_SIDE * count
    return multiply_block(
        a * step, b * step, c * step, read_values(right_side, at, mask), read_values(right_side + count, at, mask)
    )


@triton.jit
def relax_pixel(level, count, at, mask, u, v, around_u, around_v, up, left, width, step, rest):
    """(du, dv) after one damped Jacobi sweep, from the values here and around; `rest` is 1 - step, rounded once."""
    edges_u = read_edges(level, 0, at, mask, up, left, width, count)
    edges_v = read_edges(level, 1, at, mask, up, left, width, count)
    right_side = level + RIGHT_SIDE * count
    side_u = sum_products(around_u, edges_u) + read_values(right_side, at, mask)
    side_v = sum_products(around_v, edges_v) + read_values(right_side + count, at, mask)
    a, b, c = read_block(level, INVERSE, count, at, mask)
    wanted_u, wanted_v = multiply_block(a * step, b * step, c * step, side_u, side_v)
    return u * rest + wanted_u, v * rest + wanted_v


@triton.jit
def relax_twice_from_zero(level, at, mask, width, count, step_0, step_1, rest_1):
    """X: the unknowns after both sweeps from zero. The first one needs no neighbours, so it is repeated for them."""
    up, left, right, down = neighbour_masks(at, mask, width, count)
    u, v = start_value(level, count, at, mask, step_0)
    up_u, up_v = start_value(level, count, at - width, up, step_0)
    left_u, left_v = start_value(level, count, at - 1, left, step_0)
    right_u, right_v = start_value(level, count, at + 1, right, step_0)
    down_u, down_v = start_value(level, count, at + width, down, step_0)
    around_u, around_v = (up_u, left_u, right_u, down_u), (up_v, left_v, right_v, down_v)
    u, v = relax_pixel(level, count, at, mask, u, v, around_u, around_v, up, left, width, step_1, rest_1)
    write_pair(level, X, count, at, u, v, mask)


@triton.jit
def evaluate_operator(level, at, mask, width, count, u, v, around_u, around_v, up, left):
    """The operator at a pixel, from the values here and around."""
    edges_u = read_edges(level, 0, at, mask, up, left, width, count)
    edges_v = read_edges(level, 1, at, mask, up, left, width, count)
    a, b, c = read_block(level, DATA, count, at, mask)
    image_u, image_v = multiply_block(a, b, c, u, v)
    return image_u - sum_fluxes(u, around_u, edges_u), image_v - sum_fluxes(v, around_v, edges_v)


@triton.jit
def residual_at(level, at, mask, width, count):
    """Right-hand side less the operator applied to X; 0 where the mask is false."""
    up, left, right, down = neighbour_masks(at, mask, width, count)
    x, right_side = level + X * count, level + RIGHT_SIDE * count
    u, v = read_values(x, at, mask), read_values(x + count, at, mask)
    around_u = read_neighbours(x, at, up, left, right, down, width)
    around_v = read_neighbours(x + count, at, up, left, right, down, width)
    image_u, image_v = evaluate_operator(level, at, mask, width, count, u, v, around_u, around_v, up, left)
    return read_values(right_side, at, mask) - image_u, read_values(right_side + count, at, mask) - image_v


@triton.jit
def sum_residuals(fine, coarse, at, mask, height, width, count, coarse_width, coarse_count):
    """The right-hand side of the next level: the residual summed over 2 x 2 pixels."""
    row, column = at // coarse_width * 2, at % coarse_width * 2
    corner = row * width + column
    beside, below = mask & (column + 1 < width), mask & (row + 1 < height)
    u, v = residual_at(fine, corner, mask, width, count)
    more_u, more_v = residual_at(fine, corner + 1, beside, width, count)
    u, v = u + more_u, v + more_v
    more_u, more_v = residual_at(fine, corner + width, below, width, count)
    u, v = u + more_u, v + more_v
    more_u, more_v = residual_at(fine, corner + width + 1, beside & below, width, count)
    write_pair(coarse, RIGHT_SIDE, coarse_count, at, u + more_u, v + more_v, mask)


@triton.jit
def read_corrected(x, coarse_x, at, mask, width, coarse_width):
    """Values of a plane plus those of the next level's pixels that hold them."""
    held = at // width // 2 * coarse_width + at % width // 2
    return read_values(x, at, mask) + read_values(coarse_x, held, mask)


@triton.jit
def correct_neighbours(x, coarse_x, at, up, left, right, down, width, coarse_width):
    """As `read_corrected`, above, to the left, to the right and below."""
    return (
        read_corrected(x, coarse_x, at - width, up, width, coarse_width),
        read_corrected(x, coarse_x, at - 1, left, width, coarse_width),
        read_corrected(x, coarse_x, at + 1, right, width, coarse_width),
        read_corrected(x, coarse_x, at + width, down, width, coarse_width),
    )


@triton.jit
def prolong_and_relax(fine, coarse, at, mask, width, count, coarse_width, coarse_count, step, rest):
    """Y: X plus the next level's X, after one sweep."""
    up, left, right, down = neighbour_masks(at, mask, width, count)
    x, coarse_x = fine + X * count, coarse + X * coarse_count
    u = read_corrected(x, coarse_x, at, mask, width, coarse_width)
    v = read_corrected(x + count, coarse_x + coarse_count, at, mask, width, coarse_width)
    around_u = correct_neighbours(x, coarse_x, at, up, left, right, down, width, coarse_width)
    around_v = correct_neighbours(x + count, coarse_x + coarse_count, at, up, left, right, down, width, coarse_width)
    u, v = relax_pixel(fine, count, at, mask, u, v, around_u, around_v, up, left, width, step, rest)
    write_pair(fine, Y, count, at, u, v, mask)


@triton.jit
def relax_level(level, source, target, at, mask, width, count, step, rest):
    """One sweep from the planes `source` to the planes `target`; returns what it wrote."""
    up, left, right, down = neighbour_masks(at, mask, width, count)
    x = level + source * count
    u, v = read_values(x, at, mask), read_values(x + count, at, mask)
    around_u = read_neighbours(x, at, up, left, right, down, width)
    around_v = read_neighbours(x + count, at, up, left, right, down, width)
    u, v = relax_pixel(level, count, at, mask, u, v, around_u, around_v, up, left, width, step, rest)
    write_pair(level, target, count, at, u, v, mask)
    return u, v


@triton.jit(do_not_specialize=["width"])
def relax_twice_kernel(levels, width, count, step_0, step_1, rest_1, BLOCK: tl.constexpr):
    """Both sweeps from zero, into X."""
    pair = tl.program_id(1)
    at, mask = pixels_of_block(tl.program_id(0), count, BLOCK)
    relax_twice_from_zero(level_of_pair(levels, pair, count), at, mask, width, count, step_0, step_1, rest_1)


@triton.jit(do_not_specialize=["height", "width", "coarse_width"])
def restrict_kernel(fine_levels, coarse_levels, height, width, count, coarse_width, coarse_count, BLOCK: tl.constexpr):
    """The right-hand side of the next level."""
    pair = tl.program_id(1)
    at, mask = pixels_of_block(tl.program_id(0), coarse_count, BLOCK)
    fine, coarse = level_of_pair(fine_levels, pair, count), level_of_pair(coarse_levels, pair, coarse_count)
    sum_residuals(fine, coarse, at, mask, height, width, count, coarse_width, coarse_count)


@triton.jit(do_not_specialize=["width", "coarse_width"])
def prolong_kernel(
    fine_levels, coarse_levels, width, count, coarse_width, coarse_count, step, rest, BLOCK: tl.constexpr
):
    """The next level's correction and one sweep, from X into Y."""
    pair = tl.program_id(1)
    at, mask = pixels_of_block(tl.program_id(0), count, BLOCK)
    fine, coarse = level_of_pair(fine_levels, pair, count), level_of_pair(coarse_levels, pair, coarse_count)
    prolong_and_relax(fine, coarse, at, mask, width, count, coarse_width, coarse_count, step, rest)


@triton.jit(do_not_specialize=["width"])
def relax_kernel(
    levels,
    sums,
    width,
    count,
    step,
    rest,
    SOURCE: tl.constexpr,
    TARGET: tl.constexpr,
    DOT: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One sweep. DOT: also the sum over each tile [B, tiles] of residual times result."""
    pair = tl.program_id(1)
    at, mask = pixels_of_block(tl.program_id(0), count, BLOCK)
    level = level_of_pair(levels, pair, count)
    u, v = relax_level(level, SOURCE, TARGET, at, mask, width, count, step, rest)
    if DOT:
        residual = level + RIGHT_SIDE * count
        products = read_values(residual, at, mask) * u + read_values(residual + count, at, mask) * v
        write_sum(sums, pair, tl.where(mask, products, 0.0))


@triton.jit
def write_sum(sums, pair, products):
    """The sum of a tile's products, at its place in sums [B, tiles]."""
    tl.store(sums + pair * tl.num_programs(0) + tl.program_id(0), add_halves(products, TILE_PIXELS))


@triton.jit(do_not_specialize=["first", "last", "batch"])
def coarse_cycle_kernel(work, table, first, last, batch, step_0, rest_0, step_1, rest_1):
    """The part of a V-cycle that happens on the levels `first` to `last`, each smaller than a tile.

    One program does all of it for one pair, since small levels leave a GPU idle between launches. work: the buffer of
    all levels; table [levels, 3]: where a level starts in it, its height and its width.
    """
    pair = tl.program_id(0)
    for level in range(first, last):
        at, mask, here, _, width, count = locate_level(work, table, level, pair, batch)
        relax_twice_from_zero(here, at, mask, width, count, step_0, step_1, rest_1)
        tl.debug_barrier()
        at, mask, coarse, _, coarse_width, coarse_count = locate_level(work, table, level + 1, pair, batch)
        height = tl.load(table + level * 3 + 1).to(tl.int32)
        sum_residuals(here, coarse, at, mask, height, width, count, coarse_width, coarse_count)
        tl.debug_barrier()
    at, mask, here, _, width, count = locate_level(work, table, last, pair, batch)
    relax_twice_from_zero(here, at, mask, width, count, step_0, step_1, rest_1)
    for _ in range(SWEEPS // 2):
        tl.debug_barrier()
        relax_level(here, X, Y, at, mask, width, count, step_0, rest_0)
        tl.debug_barrier()
        relax_level(here, Y, X, at, mask, width, count, step_1, rest_1)
    for down in range(first, last):
        level = last - 1 - (down - first)
        tl.debug_barrier()
        _, _, coarse, _, coarse_width, coarse_count = locate_level(work, table, level + 1, pair, batch)
        at, mask, here, _, width, count = locate_level(work, table, level, pair, batch)
        prolong_and_relax(here, coarse, at, mask, width, count, coarse_width, coarse_count, step_0, rest_0)
        tl.debug_barrier()
        relax_level(here, Y, X, at, mask, width, count, step_1, rest_1)


@triton.jit
def locate_level(work, table, level, pair, batch):
    """Pixels and mask of a level, where the pair's planes start in the buffer, and the level's size."""
    start, height = tl.load(table + level * 3), tl.load(table + level * 3 + 1).to(tl.int32)
    width = tl.load(table + level * 3 + 2).to(tl.int32)
    count = height * width
    at, mask = pixels_of_block(0, count, TILE_PIXELS)
    return at, mask, level_of_pair(work + start * batch, pair, count), height, width, count


@triton.jit(do_not_specialize=["width"])
def search_kernel(
    levels,
    energies,
    before,
    curvatures,
    width,
    count,
    tiles,
    OLD: tl.constexpr,
    NEW: tl.constexpr,
    SLOTS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The next direction of the conjugate gradients (planes OLD to NEW), its IMAGE, and their products by tile.

    energies, before: residual times preconditioned residual by tile [B, tiles], now and one iteration ago.
    """
    pair = tl.program_id(1)
    at, mask = pixels_of_block(tl.program_id(0), count, BLOCK)
    level = level_of_pair(levels, pair, count)
    share = divide_or_zero(sum_tiles(energies, pair, tiles, SLOTS), sum_tiles(before, pair, tiles, SLOTS))
    up, left, right, down = neighbour_masks(at, mask, width, count)
    old, x = level + OLD * count, level + X * count
    u = read_values(old, at, mask) * share + read_values(x, at, mask)
    v = read_values(old + count, at, mask) * share + read_values(x + count, at, mask)
    around_u = next_direction_around(old, x, at, up, left, right, down, width, share)
    around_v = next_direction_around(old + count, x + count, at, up, left, right, down, width, share)
    image_u, image_v = evaluate_operator(level, at, mask, width, count, u, v, around_u, around_v, up, left)
    write_pair(level, NEW, count, at, u, v, mask)
    write_pair(level, IMAGE, count, at, image_u, image_v, mask)
    write_sum(curvatures, pair, tl.where(mask, u * image_u + v * image_v, 0.0))


@triton.jit
def next_direction_around(old, x, at, up, left, right, down, width, share):
    """The next direction above, to the left, to the right and below."""
    before = read_neighbours(old, at, up, left, right, down, width)
    change = read_neighbours(x, at, up, left, right, down, width)
    return (
        before[0] * share + change[0],
        before[1] * share + change[1],
        before[2] * share + change[2],
        before[3] * share + change[3],
    )


@triton.jit
def advance_kernel(
    levels, energies, curvatures, count, tiles, NEW: tl.constexpr, SLOTS: tl.constexpr, BLOCK: tl.constexpr
):
    """Move the solution along the direction in the planes NEW, and the residual along its image."""
    pair = tl.program_id(1)
    at, mask = pixels_of_block(tl.program_id(0), count, BLOCK)
    level = level_of_pair(levels, pair, count)
    length = divide_or_zero(sum_tiles(energies, pair, tiles, SLOTS), sum_tiles(curvatures, pair, tiles, SLOTS))
    for component in tl.static_range(2):
        solution, residual = level + (SOLUTION + component) * count, level + (RIGHT_SIDE + component) * count
        direction, image = level + (NEW + component) * count, level + (IMAGE + component) * count
        write_values(solution, at, read_values(solution, at, mask) + read_values(direction, at, mask) * length, mask)
        write_values(residual, at, read_values(residual, at, mask) - read_values(image, at, mask) * length, mask)
