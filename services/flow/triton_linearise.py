"""Kernels that build the linear systems of a warp, in one pass each, as in `torch_linearise`."""

import triton
import triton.language as tl

from services.flow.torch_linearise import GRADIENT_WEIGHTS
from services.flow.triton_level import (
    DATA,
    DIRECTION,
    DOWN,
    INVERSE,
    RIGHT,
    RIGHT_SIDE,
    SOLUTION,
    level_of_pair,
    neighbour_masks,
    pixels_of_block,
    read_neighbours,
    read_values,
    write_values,
)

NEAR, MIDDLE, FAR = (tl.constexpr(weight) for weight in GRADIENT_WEIGHTS)


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
        (at % width).to(tl.float32) + read_values(uv, at, mask),
        (at // width).to(tl.float32) + read_values(uv + count, at, mask),
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
            sample = read_values(second, source_row * width + source_column, mask)
            line += sample * (cubic_weight(dx, x) if CUBIC else linear_weight(dx, x))
        total += line * (cubic_weight(dy, y) if CUBIC else linear_weight(dy, y))
    if STILL:
        total = tl.where(inside, total, read_values(first, at, mask))
    write_values(pulled, at, total, mask)


@triton.jit
def penalty_weight(x, twice_squared_sigma, constant, top):
    """constant + top / (2 sigma^2 + x^2): the robust weight plus the quadratic part."""
    return tl.div_rn(top + tl.zeros_like(x), x * x + twice_squared_sigma) + constant


@triton.jit
def read_gradient(image, line, place, stride, length, mask):
    """Derivative along an axis at `place` of 0..length-1; `line` is the index of the axis' first sample."""
    near = read_values(image, line + mirror_index(place + 1, length) * stride, mask)
    near -= read_values(image, line + mirror_index(place - 1, length) * stride, mask)
    middle = read_values(image, line + mirror_index(place + 2, length) * stride, mask)
    middle -= read_values(image, line + mirror_index(place - 2, length) * stride, mask)
    far = read_values(image, line + mirror_index(place + 3, length) * stride, mask)
    far -= read_values(image, line + mirror_index(place - 3, length) * stride, mask)
    return (near * NEAR + middle * MIDDLE) + far * FAR


@triton.jit
def write_inverse(level, count, at, mask, a, b, c, u, v):
    """Inverse of [[a + u, b], [b, c + v]] for a c >= b^2; the determinant is a sum that cannot cancel."""
    determinant = (tl.maximum(a * c - b * b, 0.0) + a * v + c * u) + u * v
    determinant = tl.maximum(determinant, 1e-30)
    inverse = level + INVERSE * count
    write_values(inverse, at, tl.div_rn(c + v, determinant), mask)
    write_values(inverse + count, at, tl.div_rn(-b, determinant), mask)
    write_values(inverse + 2 * count, at, tl.div_rn(a + u, determinant), mask)


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
    it = read_values(pulled, at, mask) - read_values(first, at, mask)
    ix = read_gradient(pulled, row * width, column, 1, width, mask)
    iy = read_gradient(pulled, column, row, width, height, mask)
    weight = penalty_weight(it, data_spread, data_constant, data_top)
    if IGNORED:
        _, _, inside = moved_position(uv, at, mask, height, width, count)
        weight = tl.where(inside, weight, 0.0)
    wx, wy = weight * ix, weight * iy
    a, b, c = wx * ix + ridge, wx * iy, wy * iy + ridge
    data = level + DATA * count
    write_values(data, at, a, mask)
    write_values(data + count, at, b, mask)
    write_values(data + 2 * count, at, c, mask)
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
    here = read_values(uv + component * count, at, mask)
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
    write_values(level + (RIGHT + component) * count, at, edge_right, mask)
    write_values(level + (DOWN + component) * count, at, edge_down, mask)
    write_values(level + (RIGHT_SIDE + component) * count, at, side, mask)
    write_values(level + (SOLUTION + component) * count, at, tl.zeros_like(side), mask)
    write_values(level + (DIRECTION + component) * count, at, tl.zeros_like(side), mask)
    return (edge_up + edge_left) + (edge_right + edge_down)


@triton.jit
def read_four(plane, corner, row, column, height, width, mask):
    """The 2 x 2 pixels from `corner` (row, column) on: [0, 0], [0, 1], [1, 0], [1, 1]; 0 outside."""
    beside, below = mask & (column + 1 < width), mask & (row + 1 < height)
    return (
        read_values(plane, corner, mask),
        read_values(plane, corner + 1, beside),
        read_values(plane, corner + width, below),
        read_values(plane, corner + width + 1, beside & below),
    )


@triton.jit(do_not_specialize=["height", "width", "coarse_width"])
def coarsen_kernel(fine_levels, coarse_levels, height, width, count, coarse_width, coarse_count, BLOCK: tl.constexpr):
    """The operator of the next level: data terms are summed over 2 x 2 pixels, edge weights are averaged."""
    pair = tl.program_id(1)
    at, mask = pixels_of_block(tl.program_id(0), coarse_count, BLOCK)
    fine, coarse = level_of_pair(fine_levels, pair, count), level_of_pair(coarse_levels, pair, coarse_count)
    row, column = at // coarse_width * 2, at % coarse_width * 2
    corner = row * width + column
    a = sum_four(fine + DATA * count, corner, row, column, height, width, mask)
    b = sum_four(fine + (DATA + 1) * count, corner, row, column, height, width, mask)
    c = sum_four(fine + (DATA + 2) * count, corner, row, column, height, width, mask)
    data = coarse + DATA * coarse_count
    write_values(data, at, a, mask)
    write_values(data + coarse_count, at, b, mask)
    write_values(data + 2 * coarse_count, at, c, mask)
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
    across, along = fine + (RIGHT + component) * count, fine + (DOWN + component) * count
    beside, below = mask & (column + 1 < width), mask & (row + 1 < height)
    both, left, up = beside & below, mask & (column > 0), mask & (row > 0)
    edge_right = (read_values(across, corner + 1, beside) + read_values(across, corner + 1 + width, both)) * 0.5
    edge_down = (read_values(along, corner + width, below) + read_values(along, corner + width + 1, both)) * 0.5
    edge_left = (read_values(across, corner - 1, left) + read_values(across, corner - 1 + width, left & below)) * 0.5
    edge_up = (read_values(along, corner - width, up) + read_values(along, corner - width + 1, up & beside)) * 0.5
    write_values(coarse + (RIGHT + component) * coarse_count, at, edge_right, mask)
    write_values(coarse + (DOWN + component) * coarse_count, at, edge_down, mask)
    return (edge_up + edge_left) + (edge_right + edge_down)
