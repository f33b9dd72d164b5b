"""The flow's kernels for a GPU: each step of `torch_linearise` and `torch_multigrid` in one pass over the memory.

A level is one float32 buffer [B, LEVEL_PLANES, H * W] with the planes below. A program of a kernel computes a block of
pixels of one pair. Equal bits: every kernel applies the operations of the tensors in their order, each rounded by
itself. So callers switch the contraction of multiplication and addition off (`EXACT`), and divisions are `div_rn`.
Constants such as 1 - step are rounded by the caller, because a kernel would compute them from rounded ones.

| planes | content                                                                          |
| ------ | -------------------------------------------------------------------------------- |
| 0, 1   | weights of the edges to the right, for du and dv; 0 in the last column           |
| 2, 3   | weights of the edges down; 0 in the last row                                     |
| 4..6   | data terms wd Ix^2, wd Ix Iy, wd Iy^2 (ridge included)                           |
| 7..9   | inverse of the diagonal block                                                    |
| 10..13 | unknowns du, dv of the cycle, twice: a sweep reads one pair and writes the other |
| 14, 15 | right-hand side of the cycle; on the finest level the residual                   |
| 16, 17 | SOLUTION; this and the following on the finest level only                        |
| 18..21 | DIRECTION of the conjugate gradients, twice                                      |
| 22, 23 | IMAGE: the operator applied to DIRECTION                                         |
"""

from typing import Any

import triton
import triton.language as tl

from services.flow.torch_linearise import GRADIENT_WEIGHTS
from services.flow.torch_multigrid import COARSEST_SWEEPS, DOT_TILE

TILE = DOT_TILE
LEVEL_PLANES = 24
X, Y, SOLUTION, DIRECTION = 10, 12, 16, 18
EXACT: dict[str, Any] = {"enable_fp_fusion": False}  # of every launch

# Kernels read global values only as constants.
_TILE, _PLANES, _SWEEPS = tl.constexpr(TILE), tl.constexpr(LEVEL_PLANES), tl.constexpr(COARSEST_SWEEPS)
_RIGHT, _DOWN, _DATA, _INVERSE = tl.constexpr(0), tl.constexpr(2), tl.constexpr(4), tl.constexpr(7)
_X, _Y, _B, _SOLUTION = tl.constexpr(X), tl.constexpr(Y), tl.constexpr(14), tl.constexpr(SOLUTION)
_DIRECTION, _IMAGE = tl.constexpr(DIRECTION), tl.constexpr(22)
_NEAR, _MIDDLE, _FAR = (tl.constexpr(weight) for weight in GRADIENT_WEIGHTS)


@triton.jit
def read(plane, at, mask):
    """Values of a plane; 0 where the mask is false."""
    return tl.load(plane + at, mask=mask, other=0.0)


@triton.jit
def write(plane, at, value, mask):
    tl.store(plane + at, value, mask=mask)


@triton.jit
def pixels_of_block(block, count, BLOCK: tl.constexpr):
    """Indices [BLOCK] of a block's pixels, and which of them exist."""
    at = block * BLOCK + tl.arange(0, BLOCK)
    return at, at < count


@triton.jit
def level_of_pair(levels, pair, count):
    """Where a pair's planes start in a level's buffer; `count` pixels each."""
    return levels + pair.to(tl.int64) * _PLANES * count


@triton.jit
def multiply_block(a, b, c, u, v):
    """The symmetric block [[a, b], [b, c]] times (u, v)."""
    return a * u + b * v, c * v + b * u


@triton.jit
def read_block(level, plane, count, at, mask):
    """The three planes of a symmetric block."""
    block = level + plane * count
    return read(block, at, mask), read(block + count, at, mask), read(block + 2 * count, at, mask)


@triton.jit
def neighbour_masks(at, mask, width, count):
    """Which pixels have a neighbour above, to the left, to the right and below."""
    column = at % width
    return mask & (at >= width), mask & (column > 0), mask & (column < width - 1), mask & (at < count - width)


@triton.jit
def read_edges(level, component, at, mask, up, left, width, count):
    """Weights of the edges up, left, right and down for a component (0: du, 1: dv)."""
    right, down = level + (_RIGHT + component) * count, level + (_DOWN + component) * count
    return read(down, at - width, up), read(right, at - 1, left), read(right, at, mask), read(down, at, mask)


@triton.jit
def read_neighbours(plane, at, up, left, right, down, width):
    """Values of a plane above, to the left, to the right and below."""
    return (
        read(plane, at - width, up),
        read(plane, at - 1, left),
        read(plane, at + 1, right),
        read(plane, at + width, down),
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
def mirror_index(index, count):
    """The index folded back into 0..count-1, the edge sample repeated; from at most 3 px outside."""
    for _ in tl.static_range(2):
        index = tl.where(index < 0, -1 - index, index)
        index = tl.where(index >= count, 2 * count - 1 - index, index)
    return index


@triton.jit
def cubic_weight(t, SAMPLE: tl.constexpr):
    """Weight of one of four samples (Keys 1981), for positions that lie t behind the second one."""
    half = t * 0.5
    if SAMPLE == 0:
        weight = half * (t * (2 - t) - 1)
    elif SAMPLE == 1:
        weight = (t * t * (3 * t - 5) + 2) * 0.5
    elif SAMPLE == 2:
        weight = half * (t * (4 - 3 * t) + 1)
    else:
        weight = half * t * (t - 1)
    return weight


@triton.jit
def linear_weight(t, SAMPLE: tl.constexpr):
    """Weight of one of two samples, for positions that lie t behind the first one."""
    if SAMPLE == 0:
        t = 1 - t
    return t


@triton.jit
def moved_position(uv, at, mask, height, width, count):
    """Row and column that each pixel moves to, px, and whether they lie inside the image."""
    column, row = (
        (at % width).to(tl.float32) + read(uv, at, mask),
        (at // width).to(tl.float32) + read(uv + count, at, mask),
    )
    inside = (column >= 0) & (column <= (width - 1).to(tl.float32)) & (row >= 0) & (row <= (height - 1).to(tl.float32))
    return row, column, inside


@triton.jit(do_not_specialize=["height", "width"])
def warp_kernel(
    first, second, uv, pulled, height, width, count, CUBIC: tl.constexpr, STILL: tl.constexpr, BLOCK: tl.constexpr
):
    """Pull `second` [B, H, W] back along uv [B, 2, H, W]; STILL: what leaves the image keeps the value of `first`."""
    pair = tl.program_id(1).to(tl.int64)
    at, mask = pixels_of_block(tl.program_id(0), count, BLOCK)
    first, second, pulled, uv = (
        first + pair * count,
        second + pair * count,
        pulled + pair * count,
        uv + pair * 2 * count,
    )
    row, column, inside = moved_position(uv, at, mask, height, width, count)
    row = tl.minimum(tl.maximum(row, 0.0), (height - 1).to(tl.float32))
    column = tl.minimum(tl.maximum(column, 0.0), (width - 1).to(tl.float32))
    top, left = tl.floor(row), tl.floor(column)
    dy, dx = row - top, column - left
    total = tl.zeros_like(row)
    SAMPLES: tl.constexpr = 4 if CUBIC else 2
    for y in tl.static_range(SAMPLES):
        line = tl.zeros_like(row)
        # clamped, since a position from NaN is no index
        source_row = tl.minimum(tl.maximum(top.to(tl.int32) + (y - SAMPLES // 2 + 1), 0), height - 1)
        for x in tl.static_range(SAMPLES):
            source_column = tl.minimum(tl.maximum(left.to(tl.int32) + (x - SAMPLES // 2 + 1), 0), width - 1)
            sample = read(second, source_row * width + source_column, mask)
            line += sample * (cubic_weight(dx, x) if CUBIC else linear_weight(dx, x))
        total += line * (cubic_weight(dy, y) if CUBIC else linear_weight(dy, y))
    if STILL:
        total = tl.where(inside, total, read(first, at, mask))
    write(pulled, at, total, mask)


@triton.jit
def penalty_weight(x, twice_squared_sigma, constant, top):
    """constant + top / (2 sigma^2 + x^2): the robust weight plus the quadratic part."""
    return tl.div_rn(top + tl.zeros_like(x), x * x + twice_squared_sigma) + constant


@triton.jit
def read_gradient(image, line, place, stride, length, mask):
    """Derivative along an axis at `place` of 0..length-1; `line` is the index of the axis' first sample."""
    near = read(image, line + mirror_index(place + 1, length) * stride, mask)
    near -= read(image, line + mirror_index(place - 1, length) * stride, mask)
    middle = read(image, line + mirror_index(place + 2, length) * stride, mask)
    middle -= read(image, line + mirror_index(place - 2, length) * stride, mask)
    far = read(image, line + mirror_index(place + 3, length) * stride, mask)
    far -= read(image, line + mirror_index(place - 3, length) * stride, mask)
    return (near * _NEAR + middle * _MIDDLE) + far * _FAR


@triton.jit
def write_inverse(level, count, at, mask, a, b, c, u, v):
    """Inverse of [[a + u, b], [b, c + v]] for a c >= b^2; the determinant is a sum that cannot cancel."""
    determinant = (tl.maximum(a * c - b * b, 0.0) + a * v + c * u) + u * v
    determinant = tl.maximum(determinant, 1e-30)
    inverse = level + _INVERSE * count
    write(inverse, at, tl.div_rn(c + v, determinant), mask)
    write(inverse + count, at, tl.div_rn(-b, determinant), mask)
    write(inverse + 2 * count, at, tl.div_rn(a + u, determinant), mask)


@triton.jit(do_not_specialize=["height", "width"])
def linearise_kernel(
    first,
    pulled,
    uv,
    levels,
    height,
    width,
    count,
    data_spread,  # 2 sigma^2 of the data term
    data_constant,
    data_top,
    spatial_spread,  # 2 sigma^2 of the smoothness
    spatial_constant,
    spatial_top,
    ridge,
    IGNORED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The finest level's system of the increment at uv, and the start of the conjugate gradients at zero.

    IGNORED: pixels whose motion leaves the image have no data term.
    """
    pair = tl.program_id(1)
    at, mask = pixels_of_block(tl.program_id(0), count, BLOCK)
    level = level_of_pair(levels, pair, count)
    pair = pair.to(tl.int64)
    first, pulled, uv = first + pair * count, pulled + pair * count, uv + pair * 2 * count
    row, column = at // width, at % width
    it = read(pulled, at, mask) - read(first, at, mask)
    ix = read_gradient(pulled, row * width, column, 1, width, mask)
    iy = read_gradient(pulled, column, row, width, height, mask)
    weight = penalty_weight(it, data_spread, data_constant, data_top)
    if IGNORED:
        _, _, inside = moved_position(uv, at, mask, height, width, count)
        weight = tl.where(inside, weight, 0.0)
    wx, wy = weight * ix, weight * iy
    a, b, c = wx * ix + ridge, wx * iy, wy * iy + ridge
    data = level + _DATA * count
    write(data, at, a, mask)
    write(data + count, at, b, mask)
    write(data + 2 * count, at, c, mask)
    up, left, right, down = neighbour_masks(at, mask, width, count)
    u = write_edges(
        level,
        uv,
        0,
        -(wx * it),
        at,
        mask,
        up,
        left,
        right,
        down,
        width,
        count,
        spatial_spread,
        spatial_constant,
        spatial_top,
    )
    v = write_edges(
        level,
        uv,
        1,
        -(wy * it),
        at,
        mask,
        up,
        left,
        right,
        down,
        width,
        count,
        spatial_spread,
        spatial_constant,
        spatial_top,
    )
    write_inverse(level, count, at, mask, a, b, c, u, v)


@triton.jit
def write_edges(level, uv, component, data_side, at, mask, up, left, right, down, width, count, spread, constant, top):
    """Edge weights and right-hand side of a component; returns the sum of the pixel's four edge weights."""
    here = read(uv + component * count, at, mask)
    around = read_neighbours(uv + component * count, at, up, left, right, down, width)
    steps = here - around[0], here - around[1], around[2] - here, around[3] - here
    edge_up = tl.where(up, penalty_weight(steps[0], spread, constant, top), 0.0)
    edge_left = tl.where(left, penalty_weight(steps[1], spread, constant, top), 0.0)
    edge_right = tl.where(right, penalty_weight(steps[2], spread, constant, top), 0.0)
    edge_down = tl.where(down, penalty_weight(steps[3], spread, constant, top), 0.0)
    side = data_side + edge_right * steps[2]
    side = side - edge_left * steps[1]
    side = side + edge_down * steps[3]
    side = side - edge_up * steps[0]
    write(level + (_RIGHT + component) * count, at, edge_right, mask)
    write(level + (_DOWN + component) * count, at, edge_down, mask)
    write(level + (_B + component) * count, at, side, mask)
    write(level + (_SOLUTION + component) * count, at, tl.zeros_like(side), mask)
    write(level + (_DIRECTION + component) * count, at, tl.zeros_like(side), mask)
    return (edge_up + edge_left) + (edge_right + edge_down)


@triton.jit
def read_four(plane, corner, row, column, height, width, mask):
    """The 2 x 2 pixels from `corner` (row, column) on: [0, 0], [0, 1], [1, 0], [1, 1]; 0 outside."""
    beside, below = mask & (column + 1 < width), mask & (row + 1 < height)
    return (
        read(plane, corner, mask),
        read(plane, corner + 1, beside),
        read(plane, corner + width, below),
        read(plane, corner + width + 1, beside & below),
    )


@triton.jit(do_not_specialize=["height", "width", "coarse_width"])
def coarsen_kernel(fine_levels, coarse_levels, height, width, count, coarse_width, coarse_count, BLOCK: tl.constexpr):
    """The operator of the next level: data terms are summed over 2 x 2 pixels, edge weights are averaged."""
    pair = tl.program_id(1)
    at, mask = pixels_of_block(tl.program_id(0), coarse_count, BLOCK)
    fine, coarse = level_of_pair(fine_levels, pair, count), level_of_pair(coarse_levels, pair, coarse_count)
    row, column = at // coarse_width * 2, at % coarse_width * 2
    corner = row * width + column
    a = sum_four(fine + _DATA * count, corner, row, column, height, width, mask)
    b = sum_four(fine + (_DATA + 1) * count, corner, row, column, height, width, mask)
    c = sum_four(fine + (_DATA + 2) * count, corner, row, column, height, width, mask)
    data = coarse + _DATA * coarse_count
    write(data, at, a, mask)
    write(data + coarse_count, at, b, mask)
    write(data + 2 * coarse_count, at, c, mask)
    u = coarsen_edges(fine, coarse, 0, corner, row, column, at, mask, height, width, count, coarse_count)
    v = coarsen_edges(fine, coarse, 1, corner, row, column, at, mask, height, width, count, coarse_count)
    write_inverse(coarse, coarse_count, at, mask, a, b, c, u, v)


@triton.jit
def sum_four(plane, corner, row, column, height, width, mask):
    """Sum over 2 x 2 pixels."""
    four = read_four(plane, corner, row, column, height, width, mask)
    return ((four[0] + four[1]) + four[2]) + four[3]


@triton.jit
def coarsen_edges(fine, coarse, component, corner, row, column, at, mask, height, width, count, coarse_count):
    """Edge weights of a component on the next level; returns the sum of the pixel's four edge weights."""
    across, along = fine + (_RIGHT + component) * count, fine + (_DOWN + component) * count
    beside, below = mask & (column + 1 < width), mask & (row + 1 < height)
    both, left, up = beside & below, mask & (column > 0), mask & (row > 0)
    edge_right = (read(across, corner + 1, beside) + read(across, corner + 1 + width, both)) * 0.5
    edge_down = (read(along, corner + width, below) + read(along, corner + width + 1, both)) * 0.5
    edge_left = (read(across, corner - 1, left) + read(across, corner - 1 + width, left & below)) * 0.5
    edge_up = (read(along, corner - width, up) + read(along, corner - width + 1, up & beside)) * 0.5
    write(coarse + (_RIGHT + component) * coarse_count, at, edge_right, mask)
    write(coarse + (_DOWN + component) * coarse_count, at, edge_down, mask)
    return (edge_up + edge_left) + (edge_right + edge_down)


@triton.jit
def start_value(level, count, at, mask, step):
    """The unknowns after one sweep from zero."""
    a, b, c = read_block(level, _INVERSE, count, at, mask)
    right_side = level + _B * count
    return multiply_block(a * step, b * step, c * step, read(right_side, at, mask), read(right_side + count, at, mask))


@triton.jit
def relax_pixel(level, count, at, mask, u, v, around_u, around_v, up, left, width, step, rest):
    """(du, dv) after one damped Jacobi sweep, from the values here and around; `rest` is 1 - step, rounded once."""
    edges_u = read_edges(level, 0, at, mask, up, left, width, count)
    edges_v = read_edges(level, 1, at, mask, up, left, width, count)
    right_side = level + _B * count
    side_u = sum_products(around_u, edges_u) + read(right_side, at, mask)
    side_v = sum_products(around_v, edges_v) + read(right_side + count, at, mask)
    a, b, c = read_block(level, _INVERSE, count, at, mask)
    wanted_u, wanted_v = multiply_block(a * step, b * step, c * step, side_u, side_v)
    return u * rest + wanted_u, v * rest + wanted_v


@triton.jit
def write_pair(level, plane, count, at, u, v, mask):
    write(level + plane * count, at, u, mask)
    write(level + (plane + 1) * count, at, v, mask)


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
    write_pair(level, _X, count, at, u, v, mask)


@triton.jit
def evaluate_operator(level, at, mask, width, count, u, v, around_u, around_v, up, left):
    """The operator at a pixel, from the values here and around."""
    edges_u = read_edges(level, 0, at, mask, up, left, width, count)
    edges_v = read_edges(level, 1, at, mask, up, left, width, count)
    a, b, c = read_block(level, _DATA, count, at, mask)
    image_u, image_v = multiply_block(a, b, c, u, v)
    return image_u - sum_fluxes(u, around_u, edges_u), image_v - sum_fluxes(v, around_v, edges_v)


@triton.jit
def residual_at(level, at, mask, width, count):
    """Right-hand side less the operator applied to X; 0 where the mask is false."""
    up, left, right, down = neighbour_masks(at, mask, width, count)
    x, right_side = level + _X * count, level + _B * count
    u, v = read(x, at, mask), read(x + count, at, mask)
    around_u = read_neighbours(x, at, up, left, right, down, width)
    around_v = read_neighbours(x + count, at, up, left, right, down, width)
    image_u, image_v = evaluate_operator(level, at, mask, width, count, u, v, around_u, around_v, up, left)
    return read(right_side, at, mask) - image_u, read(right_side + count, at, mask) - image_v


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
    write_pair(coarse, _B, coarse_count, at, u + more_u, v + more_v, mask)


@triton.jit
def read_corrected(x, coarse_x, at, mask, width, coarse_width):
    """Values of a plane plus those of the next level's pixels that hold them."""
    held = at // width // 2 * coarse_width + at % width // 2
    return read(x, at, mask) + read(coarse_x, held, mask)


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
    x, coarse_x = fine + _X * count, coarse + _X * coarse_count
    u = read_corrected(x, coarse_x, at, mask, width, coarse_width)
    v = read_corrected(x + count, coarse_x + coarse_count, at, mask, width, coarse_width)
    around_u = correct_neighbours(x, coarse_x, at, up, left, right, down, width, coarse_width)
    around_v = correct_neighbours(x + count, coarse_x + coarse_count, at, up, left, right, down, width, coarse_width)
    u, v = relax_pixel(fine, count, at, mask, u, v, around_u, around_v, up, left, width, step, rest)
    write_pair(fine, _Y, count, at, u, v, mask)


@triton.jit
def relax(level, source, target, at, mask, width, count, step, rest):
    """One sweep from the planes `source` to the planes `target`; returns what it wrote."""
    up, left, right, down = neighbour_masks(at, mask, width, count)
    x = level + source * count
    u, v = read(x, at, mask), read(x + count, at, mask)
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
    u, v = relax(level, SOURCE, TARGET, at, mask, width, count, step, rest)
    if DOT:
        residual = level + _B * count
        products = read(residual, at, mask) * u + read(residual + count, at, mask) * v
        write_sum(sums, pair, tl.where(mask, products, 0.0))


@triton.jit
def write_sum(sums, pair, products):
    """The sum of a tile's products, at its place in sums [B, tiles]."""
    tl.store(sums + pair * tl.num_programs(0) + tl.program_id(0), add_halves(products, _TILE))


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
    for _ in range(_SWEEPS // 2):
        tl.debug_barrier()
        relax(here, _X, _Y, at, mask, width, count, step_0, rest_0)
        tl.debug_barrier()
        relax(here, _Y, _X, at, mask, width, count, step_1, rest_1)
    for down in range(first, last):
        level = last - 1 - (down - first)
        tl.debug_barrier()
        _, _, coarse, _, coarse_width, coarse_count = locate_level(work, table, level + 1, pair, batch)
        at, mask, here, _, width, count = locate_level(work, table, level, pair, batch)
        prolong_and_relax(here, coarse, at, mask, width, count, coarse_width, coarse_count, step_0, rest_0)
        tl.debug_barrier()
        relax(here, _Y, _X, at, mask, width, count, step_1, rest_1)


@triton.jit
def locate_level(work, table, level, pair, batch):
    """Pixels and mask of a level, where the pair's planes start in the buffer, and the level's size."""
    start, height = tl.load(table + level * 3), tl.load(table + level * 3 + 1).to(tl.int32)
    width = tl.load(table + level * 3 + 2).to(tl.int32)
    count = height * width
    at, mask = pixels_of_block(0, count, _TILE)
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
    old, x = level + OLD * count, level + _X * count
    u = read(old, at, mask) * share + read(x, at, mask)
    v = read(old + count, at, mask) * share + read(x + count, at, mask)
    around_u = next_direction_around(old, x, at, up, left, right, down, width, share)
    around_v = next_direction_around(old + count, x + count, at, up, left, right, down, width, share)
    image_u, image_v = evaluate_operator(level, at, mask, width, count, u, v, around_u, around_v, up, left)
    write_pair(level, NEW, count, at, u, v, mask)
    write_pair(level, _IMAGE, count, at, image_u, image_v, mask)
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
        solution, residual = level + (_SOLUTION + component) * count, level + (_B + component) * count
        direction, image = level + (NEW + component) * count, level + (_IMAGE + component) * count
        write(solution, at, read(solution, at, mask) + read(direction, at, mask) * length, mask)
        write(residual, at, read(residual, at, mask) - read(image, at, mask) * length, mask)
