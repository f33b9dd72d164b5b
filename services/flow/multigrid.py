"""The linear solver of the compiled path: conjugate gradients on a red-black grid, preconditioned by a multigrid cycle.

The system couples (du, dv) of a pixel through a 2 x 2 block and each component with its four neighbours through edge
weights. Pixels are coloured like a chess board, red where row + column is even. Every neighbour of a red pixel is
black. So black unknowns are eliminated exactly, and the conjugate gradients run on the red ones alone. The two colours
are stored apart, so that a colour's rows are contiguous and the kernels work on whole vectors. A coarse grid joins
2 x 2 pixels. Data terms add up, edge weights are averaged (half their sum, as in a new discretisation), and transfers
are piecewise constant.

Layout: a level has PLANES planes of [height + 3, stride] float32. Pixel (y, x) is at row y + 1, column x // 2 + 1 of
its colour's planes, and the frame around stays zero. All levels are in one work buffer, one after the other. Kernels
take a level's planes `p` [PLANES, cells] and write to them; their text has plane numbers.

| planes                           | content                                                                  |
| -------------------------------- | ------------------------------------------------------------------------ |
| 0..3 for u, 4..7 for v           | weights of the edges to the left, right, up, down, stored at the red end |
| 8..10 red, 11..13 black          | data terms wd Ix^2, wd Ix Iy, wd Iy^2 (ridge included)                   |
| 14..16 red, 17..19 black         | inverse of the diagonal block                                            |
| 20, 21 red, 22, 23 black         | X: du, dv of the cycle                                                   |
| 24, 25 red, 26, 27 black         | B: right-hand side of the cycle                                          |
| 28, 29 red                       | SOLUTION; this and the following on the finest level only                |
| 30, 31 red                       | DIRECTION of the conjugate gradients                                     |
| 32, 33 red                       | IMAGE: the operator applied to DIRECTION                                 |
| 34, 35 black                     | RIGHT_BLACK: right-hand side of the eliminated unknowns                  |

Sources: Briggs, Henson & McCormick, "A Multigrid Tutorial" (2000); Axelsson & Vassilevski (1991) on multigrid as
preconditioner; Bruhn et al. (2006), "A multigrid platform for real-time motion computation".
"""

from typing import Any, NamedTuple

import numpy as np
from numba import uintp
from numpy.typing import NDArray

from services.flow.compiled import compiled_kernel

DATA_RED, DATA_BLACK = 8, 11
X_RED, X_BLACK = 20, 22
B_RED, B_BLACK = 24, 26
SOLUTION, DIRECTION, RIGHT_BLACK = 28, 30, 34
PLANES = 36
COARSEST = 4  # px: a level of at most this size is the last


class Grid(NamedTuple):
    """The levels of one image size in one `buffer` [cells]; `levels` [L, 4] has height, width, stride, start."""

    buffer: NDArray[np.float32]
    levels: NDArray[np.int64]


def plane_stride(width: int) -> int:
    """Columns of a colour's plane: half the pixels and a frame of one on each side, rounded up to a multiple of 16."""
    return -(-((width + 1) // 2 + 2) // 16) * 16


def make_grid(shape: tuple[int, int]) -> Grid:
    """An empty grid for images of `shape` (rows, columns); some 110 bytes per pixel."""
    height, width = shape
    levels, start = [], 0
    while True:
        levels.append((height, width, plane_stride(width), start))
        start += PLANES * (height + 3) * plane_stride(width)
        if max(height, width) <= COARSEST:
            return Grid(np.zeros(start, np.float32), np.array(levels, np.int64))
        height, width = (height + 1) // 2, (width + 1) // 2


@compiled_kernel
def level_planes(buffer: Any, levels: Any, level: int) -> Any:
    """One level of the buffer [cells] as planes [PLANES, cells of the level]."""
    height, _, stride, start = levels[level]
    cells = (height + 3) * stride
    return buffer[start : start + PLANES * cells].reshape(PLANES, cells)


@compiled_kernel
def relax_red(p: Any, height: int, stride: int) -> None:
    """Gauss-Seidel on the red pixels."""
    for y in range(height):
        here = (y + 1) * stride + 1
        o, up, down = uintp(here), uintp(here - stride), uintp(here + stride)
        left, right = uintp(here - 1 + (y & 1)), uintp(here + (y & 1))
        for k in range(uintp(stride - 2)):
            u = p[24, o + k] + p[0, o + k] * p[22, left + k] + p[1, o + k] * p[22, right + k]
            u += p[2, o + k] * p[22, up + k] + p[3, o + k] * p[22, down + k]
            v = p[25, o + k] + p[4, o + k] * p[23, left + k] + p[5, o + k] * p[23, right + k]
            v += p[6, o + k] * p[23, up + k] + p[7, o + k] * p[23, down + k]
            p[20, o + k] = p[14, o + k] * u + p[15, o + k] * v
            p[21, o + k] = p[15, o + k] * u + p[16, o + k] * v


@compiled_kernel
def relax_black(p: Any, height: int, stride: int, source: int, right_side: int) -> None:
    """Gauss-Seidel on the black pixels, from the red planes `source` and the right-hand side `right_side`."""
    su, sv, bu, bv = uintp(source), uintp(source + 1), uintp(right_side), uintp(right_side + 1)
    for y in range(height):
        here = (y + 1) * stride + 1
        o, up, down = uintp(here), uintp(here - stride), uintp(here + stride)
        left, right = uintp(here - (y & 1)), uintp(here + 1 - (y & 1))
        for k in range(uintp(stride - 2)):
            u = p[bu, o + k] + p[1, left + k] * p[su, left + k] + p[0, right + k] * p[su, right + k]
            u += p[3, up + k] * p[su, up + k] + p[2, down + k] * p[su, down + k]
            v = p[bv, o + k] + p[5, left + k] * p[sv, left + k] + p[4, right + k] * p[sv, right + k]
            v += p[7, up + k] * p[sv, up + k] + p[6, down + k] * p[sv, down + k]
            p[22, o + k] = p[17, o + k] * u + p[18, o + k] * v
            p[23, o + k] = p[18, o + k] * u + p[19, o + k] * v


@compiled_kernel
def scale_red(p: Any, height: int, stride: int) -> None:
    """The first red half sweep from zero: x = inverse block * b."""
    for i in range(uintp(stride), uintp((height + 1) * stride)):
        p[20, i] = p[14, i] * p[24, i] + p[15, i] * p[25, i]
        p[21, i] = p[15, i] * p[24, i] + p[16, i] * p[25, i]


@compiled_kernel
def apply_red(p: Any, height: int, stride: int, x: int) -> Any:
    """IMAGE = (diagonal block) x - coupling to X_BLACK, on red; returns the dot product of x and IMAGE."""
    xu, xv = uintp(x), uintp(x + 1)
    sums = np.zeros(stride, np.float32)
    for y in range(height):
        here = (y + 1) * stride + 1
        o, up, down = uintp(here), uintp(here - stride), uintp(here + stride)
        left, right = uintp(here - 1 + (y & 1)), uintp(here + (y & 1))
        for k in range(uintp(stride - 2)):
            a, b = p[xu, o + k], p[xv, o + k]
            u = p[8, o + k] * a + p[9, o + k] * b
            u += p[0, o + k] * (a - p[22, left + k]) + p[1, o + k] * (a - p[22, right + k])
            u += p[2, o + k] * (a - p[22, up + k]) + p[3, o + k] * (a - p[22, down + k])
            v = p[9, o + k] * a + p[10, o + k] * b
            v += p[4, o + k] * (b - p[23, left + k]) + p[5, o + k] * (b - p[23, right + k])
            v += p[6, o + k] * (b - p[23, up + k]) + p[7, o + k] * (b - p[23, down + k])
            p[32, o + k] = u
            p[33, o + k] = v
            sums[k] += a * u + b * v
    return sum_in_order(sums)


@compiled_kernel
def sum_in_order(sums: Any) -> Any:
    """The sum of the row `sums` [stride], from left to right in double precision."""
    found = np.float64(0.0)
    for k in range(uintp(sums.size)):
        found += sums[k]
    return found


@compiled_kernel
def couple_red(p: Any, height: int, stride: int) -> None:
    """B_RED += coupling to X_BLACK: the right-hand side after the elimination of black."""
    for y in range(height):
        here = (y + 1) * stride + 1
        o, up, down = uintp(here), uintp(here - stride), uintp(here + stride)
        left, right = uintp(here - 1 + (y & 1)), uintp(here + (y & 1))
        for k in range(uintp(stride - 2)):
            u = p[0, o + k] * p[22, left + k] + p[1, o + k] * p[22, right + k]
            v = p[4, o + k] * p[23, left + k] + p[5, o + k] * p[23, right + k]
            p[24, o + k] += u + p[2, o + k] * p[22, up + k] + p[3, o + k] * p[22, down + k]
            p[25, o + k] += v + p[6, o + k] * p[23, up + k] + p[7, o + k] * p[23, down + k]


@compiled_kernel
def invert_blocks(p: Any, height: int, stride: int) -> None:
    """Inverse diagonal blocks of both colours."""
    for y in range(height):
        here = (y + 1) * stride + 1
        o, up, down = uintp(here), uintp(here - stride), uintp(here + stride)
        left, right = uintp(here - (y & 1)), uintp(here + 1 - (y & 1))
        for k in range(uintp(stride - 2)):
            u = p[0, o + k] + p[1, o + k] + p[2, o + k] + p[3, o + k]
            v = p[4, o + k] + p[5, o + k] + p[6, o + k] + p[7, o + k]
            p[14, o + k], p[15, o + k], p[16, o + k] = invert_block(p[8, o + k], p[9, o + k], p[10, o + k], u, v)
        for k in range(uintp(stride - 2)):
            u = p[1, left + k] + p[0, right + k] + p[3, up + k] + p[2, down + k]
            v = p[5, left + k] + p[4, right + k] + p[7, up + k] + p[6, down + k]
            p[17, o + k], p[18, o + k], p[19, o + k] = invert_block(p[11, o + k], p[12, o + k], p[13, o + k], u, v)


@compiled_kernel
def invert_block(a: Any, b: Any, c: Any, u: Any, v: Any) -> Any:
    """Inverse of [[a + u, b], [b, c + v]] for a c >= b^2; the determinant is a sum that cannot cancel."""
    data, tiny = a * c - b * b, np.float32(1e-30)
    determinant = (data if data > 0 else np.float32(0.0)) + a * v + c * u + u * v
    scale = np.float32(1.0) / (determinant if determinant > tiny else tiny)
    return (c + v) * scale, -b * scale, (a + u) * scale


@compiled_kernel
def coarsen_operator(p: Any, stride: int, q: Any, height: int, width: int, coarse: int) -> None:
    """Operator of the next level (planes q; height, width and stride `coarse`) from the finer one's (p, `stride`)."""
    row = np.zeros(2 * coarse + 2, np.float32)
    half, one = np.float32(0.5), uintp(1)
    for y in range(height):
        even, odd, below = uintp((2 * y + 1) * stride), uintp((2 * y + 2) * stride), uintp((2 * y + 3) * stride)
        here, shift = (y + 1) * coarse + 1, y & 1
        for e in (0, 4):
            left, right, up, down = uintp(e), uintp(e + 1), uintp(e + 2), uintp(e + 3)
            for k in range(one, uintp(width + 1)):
                row[k] = half * (p[left, even + k + one] + p[right, odd + k])
            if shift:
                deal_coarse_row(row, q, e, here, e + 1, here, coarse)
            else:
                deal_coarse_row(row, q, e + 1, here, e, here + 1, coarse)
            for k in range(one, uintp(width + 1)):
                row[k] = half * (p[up, below + k] + p[down, odd + k])
            if shift:
                deal_coarse_row(row, q, e + 2, here + coarse, e + 3, here, coarse)
            else:
                deal_coarse_row(row, q, e + 3, here, e + 2, here + coarse, coarse)
        for d in range(3):
            red, black = uintp(DATA_RED + d), uintp(DATA_BLACK + d)
            for k in range(one, uintp(width + 1)):
                row[k] = p[red, even + k] + p[red, odd + k] + p[black, even + k] + p[black, odd + k]
            deal_coarse_row(row, q, DATA_RED + 3 * shift + d, here, DATA_BLACK - 3 * shift + d, here, coarse)


@compiled_kernel
def deal_coarse_row(row: Any, q: Any, plane: int, start: int, plane_odd: int, start_odd: int, stride: int) -> None:
    """Copy a natural row's even columns (the first at index 1) to one plane and its odd columns to another."""
    a, b, oa, ob = uintp(plane), uintp(plane_odd), uintp(start), uintp(start_odd)
    one, two = uintp(1), uintp(2)
    for k in range(uintp(stride - 2)):
        q[a, oa + k] = row[two * k + one]
        q[b, ob + k] = row[two * k + two]


@compiled_kernel
def restrict_residual(p: Any, stride: int, q: Any, height: int, width: int, coarse: int) -> None:
    """Right-hand side of the next level q: sums of the residual; black residuals are zero after a black half sweep."""
    row = np.zeros((2, 2 * coarse + 2), np.float32)
    for y in range(height):
        even, odd = uintp((2 * y + 1) * stride), uintp((2 * y + 2) * stride)
        for k in range(uintp(1), uintp(width + 1)):
            row[0, k] = p[24, even + k] - p[32, even + k] + p[24, odd + k] - p[32, odd + k]
            row[1, k] = p[25, even + k] - p[33, even + k] + p[25, odd + k] - p[33, odd + k]
        o, shift = uintp((y + 1) * coarse + 1), uintp(y & 1)
        for k in range(uintp(coarse - 2)):
            red, black = uintp(2) * k + uintp(1) + shift, uintp(2) * k + uintp(2) - shift
            q[24, o + k] = row[0, red]
            q[25, o + k] = row[1, red]
            q[26, o + k] = row[0, black]
            q[27, o + k] = row[1, black]


@compiled_kernel
def prolong_solution(p: Any, stride: int, q: Any, height: int, width: int, coarse: int) -> None:
    """Add the next level's solution to red only, since the next half sweep overwrites black."""
    row = np.zeros((2, 2 * coarse + 2), np.float32)
    for y in range(height):
        o, shift = uintp((y + 1) * coarse + 1), uintp(y & 1)
        for k in range(uintp(coarse - 2)):
            red, black = uintp(2) * k + uintp(1) + shift, uintp(2) * k + uintp(2) - shift
            row[0, red] = q[20, o + k]
            row[1, red] = q[21, o + k]
            row[0, black] = q[22, o + k]
            row[1, black] = q[23, o + k]
        even, odd = uintp((2 * y + 1) * stride), uintp((2 * y + 2) * stride)
        for k in range(uintp(1), uintp(width + 1)):
            p[20, even + k] += row[0, k]
            p[21, even + k] += row[1, k]
            p[20, odd + k] += row[0, k]
            p[21, odd + k] += row[1, k]


@compiled_kernel
def prepare_levels(buffer: Any, levels: Any) -> None:
    """Compute everything that depends on the operator alone, from the finest level's edges and data terms."""
    for level in range(len(levels)):
        height, width, stride, _ = levels[level]
        p = level_planes(buffer, levels, level)
        if level:
            coarsen_operator(level_planes(buffer, levels, level - 1), levels[level - 1, 2], p, height, width, stride)
        invert_blocks(p, height, stride)


@compiled_kernel
def apply_v_cycle(buffer: Any, levels: Any, sweeps: int) -> None:
    """One symmetric V-cycle for the finest B into the finest X, from zero."""
    last = len(levels) - 1
    for level in range(last):
        descend_level(buffer, levels, level, sweeps)
    height, _, stride, _ = levels[last]
    p = level_planes(buffer, levels, last)
    scale_red(p, height, stride)
    for _ in range(4):
        relax_black(p, height, stride, X_RED, B_BLACK)
        relax_red(p, height, stride)
    for level in range(last - 1, -1, -1):
        ascend_level(buffer, levels, level, sweeps)


@compiled_kernel
def descend_level(buffer: Any, levels: Any, level: int, sweeps: int) -> None:
    """Relax from zero, red before black, and restrict the residual to the next level."""
    height, _, stride, _ = levels[level]
    p = level_planes(buffer, levels, level)
    scale_red(p, height, stride)
    relax_black(p, height, stride, X_RED, B_BLACK)
    for _ in range(sweeps - 1):
        relax_red(p, height, stride)
        relax_black(p, height, stride, X_RED, B_BLACK)
    apply_red(p, height, stride, X_RED)
    below, width, coarse, _ = levels[level + 1]
    restrict_residual(p, stride, level_planes(buffer, levels, level + 1), below, width, coarse)


@compiled_kernel
def ascend_level(buffer: Any, levels: Any, level: int, sweeps: int) -> None:
    """Add the coarse correction and relax, black before red: the transpose of `descend_level`."""
    height, _, stride, _ = levels[level]
    p = level_planes(buffer, levels, level)
    below, width, coarse, _ = levels[level + 1]
    prolong_solution(p, stride, level_planes(buffer, levels, level + 1), below, width, coarse)
    for _ in range(sweeps):
        relax_black(p, height, stride, X_RED, B_BLACK)
        relax_red(p, height, stride)


@compiled_kernel
def plane_dot_product(p: Any, stride: int, height: int, a: int, b: int) -> Any:
    """Dot product of two pairs of planes."""
    au, av, bu, bv = uintp(a), uintp(a + 1), uintp(b), uintp(b + 1)
    sums = np.zeros(stride, np.float32)
    for y in range(1, height + 1):
        o = uintp(y * stride)
        for k in range(uintp(stride)):
            sums[k] += p[au, o + k] * p[bu, o + k] + p[av, o + k] * p[bv, o + k]
    return sum_in_order(sums)


@compiled_kernel
def eliminate_black(p: Any, height: int, stride: int) -> None:
    """Right-hand side on red alone; that of black is stored in RIGHT_BLACK for the end."""
    for i in range(uintp(stride), uintp((height + 1) * stride)):
        p[34, i], p[35, i] = p[26, i], p[27, i]
        p[22, i] = p[17, i] * p[26, i] + p[18, i] * p[27, i]
        p[23, i] = p[18, i] * p[26, i] + p[19, i] * p[27, i]
        p[28, i] = p[29, i] = p[26, i] = p[27, i] = np.float32(0.0)
    couple_red(p, height, stride)


@compiled_kernel
def update_direction(p: Any, height: int, stride: int, share: float) -> None:
    """DIRECTION = X_RED + share * DIRECTION."""
    keep = np.float32(share)
    for i in range(uintp(stride), uintp((height + 1) * stride)):
        p[30, i] = p[20, i] + keep * p[30, i]
        p[31, i] = p[21, i] + keep * p[31, i]


@compiled_kernel
def step_along_direction(p: Any, height: int, stride: int, step: float) -> Any:
    """Move SOLUTION and B_RED one step along DIRECTION; return the largest change of the solution, px."""
    length, largest = np.float32(step), np.zeros(stride, np.float32)
    for i in range(uintp(stride), uintp((height + 1) * stride)):
        p[28, i] += length * p[30, i]
        p[29, i] += length * p[31, i]
        p[24, i] -= length * p[32, i]
        p[25, i] -= length * p[33, i]
    for y in range(1, height + 1):
        o = uintp(y * stride)
        for k in range(uintp(stride)):
            u, v = abs(p[30, o + k]), abs(p[31, o + k])
            either = u if u > v else v
            largest[k] = either if either > largest[k] else largest[k]
    return abs(length) * largest.max()


@compiled_kernel
def solve_system(buffer: Any, levels: Any, sweeps: int, max_iterations: int, tolerance: float) -> int:
    """Solve for the finest B; du, dv go to SOLUTION (red) and X_BLACK. Returns the number of iterations.

    Stops when an iteration changes no unknown by more than `tolerance` px, or after `max_iterations`.
    """
    height, _, stride, _ = levels[0]
    p = level_planes(buffer, levels, 0)
    prepare_levels(buffer, levels)
    eliminate_black(p, height, stride)
    before, taken = 1.0, 0
    while taken < max_iterations:
        apply_v_cycle(buffer, levels, sweeps)
        energy = plane_dot_product(p, stride, height, X_RED, B_RED)
        if energy <= 0.0:
            break
        update_direction(p, height, stride, energy / before if taken else 0.0)
        relax_black(p, height, stride, DIRECTION, B_BLACK)
        curvature = apply_red(p, height, stride, DIRECTION)
        taken += 1
        if curvature <= 0.0 or step_along_direction(p, height, stride, energy / curvature) < tolerance:
            break
        before = energy
    relax_black(p, height, stride, SOLUTION, RIGHT_BLACK)
    return taken
