"""One warp's linear system, compiled: warped image, derivatives, robust weights, written to the solver's planes.

Rows are computed in natural order in a few short buffers and then dealt out to the red and black planes that
`services.flow.multigrid` describes; the images are read once. The same formulas in readable form: `services.flow.exact`.

Kernels call only kernels of this file: numba's cache notices changes of a function's own file and no other.
"""

from typing import Any

import numpy as np
from numba import njit, uintp

MARGIN = 3  # px that the derivative filter reaches beyond the image
D11, D12, D22, BU, BV, RIGHT, DOWN, ABOVE, FLUX, FLOW_DOWN, FLOW_ABOVE = 0, 1, 2, 3, 4, 5, 7, 9, 11, 12, 14
ROWS = 16  # natural-order buffers of one row; RIGHT, DOWN, ABOVE, FLOW_DOWN and FLOW_ABOVE have one each for u and v

kernel = njit(cache=True, nogil=True, fastmath=True)


@kernel
def warp(first: Any, second: Any, uv: Any, pulled: Any) -> None:
    """`second` pulled back along uv into `pulled`, which has a mirrored margin; where uv leaves the image, `first`."""
    height, width = first.shape
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    for y in range(height):
        for x in range(width):
            column, row = np.float32(x) + uv[0, y, x], np.float32(y) + uv[1, y, x]
            if column < 0 or column > right or row < 0 or row > bottom:
                pulled[y + MARGIN, x + MARGIN] = first[y, x]
                continue
            left, top = uintp(column), uintp(row)
            next_x, next_y = uintp(min(left + 1, width - 1)), uintp(min(top + 1, height - 1))
            dx, dy = column - np.float32(left), row - np.float32(top)
            upper = second[top, left] + dx * (second[top, next_x] - second[top, left])
            lower = second[next_y, left] + dx * (second[next_y, next_x] - second[next_y, left])
            pulled[y + MARGIN, x + MARGIN] = upper + dy * (lower - upper)
    _mirror_margin(pulled, height, width)


@kernel
def _mirror_margin(pulled: Any, height: int, width: int) -> None:
    """Fills the margin with the image mirrored about its edge, the edge sample repeated, however small it is."""
    for i in range(MARGIN):
        before, after = _mirror(-1 - i, width) + MARGIN, _mirror(width + i, width) + MARGIN
        for y in range(MARGIN, height + MARGIN):
            pulled[y, MARGIN - 1 - i] = pulled[y, before]
            pulled[y, width + MARGIN + i] = pulled[y, after]
    for i in range(MARGIN):
        pulled[MARGIN - 1 - i] = pulled[_mirror(-1 - i, height) + MARGIN]
        pulled[height + MARGIN + i] = pulled[_mirror(height + i, height) + MARGIN]


@kernel
def _mirror(i: int, n: int) -> int:
    folded = i % (2 * n)
    return min(folded, 2 * n - 1 - folded)


@kernel
def _data_row(first: Any, pulled: Any, y: int, rows: Any, energy: Any) -> None:
    """Data terms of one row: wd times the products of (Ix, Iy), and -wd It (Ix, Iy)."""
    quadratic, robust, scale, ridge = energy[0], energy[1], energy[2], energy[3]
    a, b, c = np.float32(45 / 60), np.float32(-9 / 60), np.float32(1 / 60)
    t = uintp(y)
    one, two, three, four, five, six = uintp(1), uintp(2), uintp(3), uintp(4), uintp(5), uintp(6)
    for x in range(uintp(first.shape[1])):
        m = x + three
        ix = a * (pulled[t + three, x + four] - pulled[t + three, x + two])
        ix += b * (pulled[t + three, x + five] - pulled[t + three, x + one])
        ix += c * (pulled[t + three, x + six] - pulled[t + three, x])
        iy = a * (pulled[t + four, m] - pulled[t + two, m]) + b * (pulled[t + five, m] - pulled[t + one, m])
        iy += c * (pulled[t + six, m] - pulled[t, m])
        it = pulled[t + three, m] - first[t, x]
        weight = quadratic + robust / (scale + it * it)
        rows[0, x + one] = weight * ix * ix + ridge
        rows[1, x + one] = weight * ix * iy
        rows[2, x + one] = weight * iy * iy + ridge
        rows[3, x + one] = -weight * it * ix
        rows[4, x + one] = -weight * it * iy


@kernel
def _spatial_row(component: Any, y: int, c: int, rows: Any, energy: Any) -> None:
    """Edge weights of one row of one component, and its smoothness on the right-hand side."""
    quadratic, robust, scale = energy[4], energy[5], energy[6]
    height, width = component.shape
    right, down, above = uintp(RIGHT + c), uintp(DOWN + c), uintp(ABOVE + c)
    flux_down, flux_above, b = uintp(FLOW_DOWN + c), uintp(FLOW_ABOVE + c), uintp(BU + c)
    t, one, end = uintp(y), uintp(1), uintp(width)
    for x in range(end - one):
        step = component[t, x + one] - component[t, x]
        rows[right, x + one] = quadratic + robust / (scale + step * step)
        rows[11, x + one] = rows[right, x + one] * step
    rows[right, end] = rows[11, end] = np.float32(0.0)
    for x in range(end):
        rows[above, x + one] = rows[down, x + one]
        rows[flux_above, x + one] = rows[flux_down, x + one]
    below = uintp(min(y + 1, height - 1))
    present = np.float32(1.0 if y + 1 < height else 0.0)
    for x in range(end):
        step = component[below, x] - component[t, x]
        weight = present * (quadratic + robust / (scale + step * step))
        rows[down, x + one] = weight
        rows[flux_down, x + one] = weight * step
        rows[b, x + one] += rows[11, x + one] - rows[11, x] + weight * step - rows[flux_above, x + one]


@kernel
def _deal(rows: Any, p: Any, y: int, stride: int) -> None:
    """One row from natural order to its red and black planes."""
    o, odd = uintp((y + 1) * stride + 1), uintp(y & 1)
    one, two, four = uintp(1), uintp(2), uintp(4)
    for k in range(uintp(stride - 2)):
        red, black = two * k + one + odd, two * k + two - odd
        for c in range(two):
            e = c * four
            p[e, o + k] = rows[c + uintp(5), red - one]
            p[e + one, o + k] = rows[c + uintp(5), red]
            p[e + two, o + k] = rows[c + uintp(9), red]
            p[e + uintp(3), o + k] = rows[c + uintp(7), red]
            p[c + uintp(24), o + k] = rows[c + uintp(3), red]
            p[c + uintp(26), o + k] = rows[c + uintp(3), black]
        for d in range(uintp(3)):
            p[d + uintp(8), o + k] = rows[d, red]
            p[d + uintp(11), o + k] = rows[d, black]


@kernel
def linearise(first: Any, second: Any, uv: Any, pulled: Any, planes: Any, stride: int, energy: Any) -> None:
    """Edges, data terms and right-hand side of the increment at uv, into a finest level's planes.

    first, second: H x W float32; uv: 2 x H x W; pulled: work, (H + 6) x (W + 6); energy: see `services.flow.fast`.
    """
    height = first.shape[0]
    warp(first, second, uv, pulled)
    rows = np.zeros((ROWS, 2 * stride + 2), np.float32)
    for y in range(height):
        _data_row(first, pulled, y, rows, energy)
        _spatial_row(uv[0], y, 0, rows, energy)
        _spatial_row(uv[1], y, 1, rows, energy)
        _deal(rows, planes, y, stride)


@kernel
def advance(uv: Any, planes: Any, stride: int, limit: float, red: int, black: int) -> None:
    """uv += the solved increment, clamped to +-limit; `red` and `black` name its planes."""
    height, width = uv.shape[1:]
    bound = np.float32(limit)
    for c in range(2):
        of = (uintp(red + c), uintp(black + c))
        for y in range(height):
            o = uintp((y + 1) * stride + 1)
            for x in range(uintp(width)):
                step = planes[of[(x + uintp(y)) & uintp(1)], o + (x >> uintp(1))]
                uv[c, y, x] += max(-bound, min(bound, step))
