"""One warp's linear system, compiled: warped image, derivatives, robust weights, written to the solver's planes.

Kernels compute rows in natural order in a few short buffers. Then they deal them out to the red and black planes that
`services.flow.multigrid` describes. So the images are read once. `services.flow.exact` has the formulas in readable
form. Unless a docstring says otherwise, arrays are float32.
"""

from typing import Any

import numpy as np
from numba import uintp

from services.flow.compiled import compiled_kernel

MARGIN = 3  # px that the derivative filter reaches beyond the image
# Buffers of one row in natural order; the first pixel is at index 1. RIGHT, DOWN (edge weights), FLOW_EVEN and FLOW_ODD
# (weight times difference downwards, of even and odd rows) have one buffer for u and the next one for v.
D11, D12, D22, BU, BV, RIGHT, DOWN = 0, 1, 2, 3, 4, 5, 7
FLOW_RIGHT, FLOW_EVEN, FLOW_ODD, IT, IX, IY, WEIGHT, COLUMN = 9, 10, 12, 14, 15, 16, 17, 18
ROWS = 19


@compiled_kernel
def warp_linear(first: Any, second: Any, uv: Any, keep_first: bool, pulled: Any) -> None:
    """Pull `second` [H, W] back along uv [2, H, W], px, bilinearly, into `pulled` (H and W plus 2 x MARGIN).

    A pixel that leaves the image gets the value at the edge, or `first`'s with `keep_first`.
    """
    height, width = first.shape
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    for y in range(height):
        for x in range(width):
            column, row = np.float32(x) + uv[0, y, x], np.float32(y) + uv[1, y, x]
            outside = column < 0 or column > right or row < 0 or row > bottom
            column, row = min(max(column, np.float32(0)), right), min(max(row, np.float32(0)), bottom)
            left, top = int(column), int(row)
            dx, dy = column - np.float32(left), row - np.float32(top)
            a, b = uintp(left), uintp(min(left + 1, width - 1))
            c, d = uintp(top), uintp(min(top + 1, height - 1))
            upper = second[c, a] + dx * (second[c, b] - second[c, a])
            lower = second[d, a] + dx * (second[d, b] - second[d, a])
            pulled[y + MARGIN, x + MARGIN] = first[y, x] if outside and keep_first else upper + dy * (lower - upper)


@compiled_kernel
def warp_cubic(first: Any, second: Any, uv: Any, keep_first: bool, pulled: Any) -> None:
    """As `warp_linear`, by cubic convolution with a = -1/2 (Keys 1981), the edge replicated."""
    height, width = first.shape
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    for y in range(height):
        for x in range(width):
            column, row = np.float32(x) + uv[0, y, x], np.float32(y) + uv[1, y, x]
            outside = column < 0 or column > right or row < 0 or row > bottom
            if outside and keep_first:
                pulled[y + MARGIN, x + MARGIN] = first[y, x]
                continue
            column, row = min(max(column, np.float32(0)), right), min(max(row, np.float32(0)), bottom)
            left, top = int(column), int(row)
            a, b, c, d = _cubic_weights_compiled(column - np.float32(left))
            e, f, g, h = _cubic_weights_compiled(row - np.float32(top))
            i, j = uintp(max(left - 1, 0)), uintp(left)
            k, m = uintp(min(left + 1, width - 1)), uintp(min(left + 2, width - 1))
            p, q = uintp(max(top - 1, 0)), uintp(top)
            r, s = uintp(min(top + 1, height - 1)), uintp(min(top + 2, height - 1))
            value = e * (a * second[p, i] + b * second[p, j] + c * second[p, k] + d * second[p, m])
            value += f * (a * second[q, i] + b * second[q, j] + c * second[q, k] + d * second[q, m])
            value += g * (a * second[r, i] + b * second[r, j] + c * second[r, k] + d * second[r, m])
            value += h * (a * second[s, i] + b * second[s, j] + c * second[s, k] + d * second[s, m])
            pulled[y + MARGIN, x + MARGIN] = value


@compiled_kernel
def _cubic_weights_compiled(t: Any) -> Any:
    """Weights of the four samples around a position that lies t (px, 0..1) behind the second one."""
    half, two, three = np.float32(0.5), np.float32(2), np.float32(3)
    one, four, five = np.float32(1), np.float32(4), np.float32(5)
    return (
        half * t * (t * (two - t) - one),
        half * (t * t * (three * t - five) + two),
        half * t * (t * (four - three * t) + one),
        half * t * t * (t - one),
    )


@compiled_kernel
def _mirror_margin(image: Any) -> None:
    """Fill the margin with the image mirrored about its edge, the edge sample repeated, for images of any size."""
    height, width = image.shape[0] - 2 * MARGIN, image.shape[1] - 2 * MARGIN
    for i in range(MARGIN):
        before, after = _mirror_index(-1 - i, width) + MARGIN, _mirror_index(width + i, width) + MARGIN
        for y in range(MARGIN, height + MARGIN):
            image[y, MARGIN - 1 - i] = image[y, before]
            image[y, width + MARGIN + i] = image[y, after]
    for i in range(MARGIN):
        image[MARGIN - 1 - i] = image[_mirror_index(-1 - i, height) + MARGIN]
        image[height + MARGIN + i] = image[_mirror_index(height + i, height) + MARGIN]


@compiled_kernel
def _mirror_index(i: int, n: int) -> int:
    folded = i % (2 * n)
    return min(folded, 2 * n - 1 - folded)


@compiled_kernel
def _write_derivative_row(first: Any, pulled: Any, y: int, rows: Any) -> None:
    """Write It, Ix, Iy of one row; the gradient is that of the warped image alone."""
    a, b, c = np.float32(45 / 60), np.float32(-9 / 60), np.float32(1 / 60)
    one, two, three, four, five, six = uintp(1), uintp(2), uintp(3), uintp(4), uintp(5), uintp(6)
    t = uintp(y)
    for x in range(uintp(first.shape[1])):
        m = x + three
        ix = a * (pulled[t + three, x + four] - pulled[t + three, x + two])
        ix += b * (pulled[t + three, x + five] - pulled[t + three, x + one])
        ix += c * (pulled[t + three, x + six] - pulled[t + three, x])
        iy = a * (pulled[t + four, m] - pulled[t + two, m]) + b * (pulled[t + five, m] - pulled[t + one, m])
        iy += c * (pulled[t + six, m] - pulled[t, m])
        rows[IX, x + one] = ix
        rows[IY, x + one] = iy
        rows[IT, x + one] = pulled[t + three, m] - first[t, x]


@compiled_kernel
def _write_data_row(uv: Any, y: int, rows: Any, energy: Any, outside: float) -> None:
    """Write the data terms of one row: w times the products of (Ix, Iy), and -w It (Ix, Iy).

    w is the weight of the residual, times `outside` where uv leaves the image.
    """
    quadratic, robust, scale, ridge = energy[0], energy[1], energy[2], energy[3]
    height, width = uv.shape[1:]
    right, bottom, out = np.float32(width - 1), np.float32(height - 1), np.float32(outside)
    t, one, zero, line = uintp(y), uintp(1), np.float32(0.0), np.float32(y)
    for x in range(uintp(width)):
        column, row = rows[COLUMN, x + one] + uv[0, t, x], line + uv[1, t, x]
        inside = (column >= zero) & (column <= right) & (row >= zero) & (row <= bottom)
        it = rows[IT, x + one]
        weight = quadratic + robust / (scale + it * it)
        rows[WEIGHT, x + one] = weight if inside else out * weight
    for x in range(one, uintp(width + 1)):
        weight, it, ix, iy = rows[WEIGHT, x], rows[IT, x], rows[IX, x], rows[IY, x]
        rows[D11, x] = weight * ix * ix + ridge
        rows[D12, x] = weight * ix * iy
        rows[D22, x] = weight * iy * iy + ridge
        rows[BU, x] = -weight * it * ix
        rows[BV, x] = -weight * it * iy


@compiled_kernel
def _write_spatial_row(component: Any, y: int, c: int, rows: Any, energy: Any) -> None:
    """Edge weights of one row of one component, and its smoothness on the right-hand side."""
    quadratic, robust, scale = energy[4], energy[5], energy[6]
    height, width = component.shape
    right, down, b = uintp(RIGHT + c), uintp(DOWN + c), uintp(BU + c)
    now, above = uintp((FLOW_ODD if y & 1 else FLOW_EVEN) + c), uintp((FLOW_EVEN if y & 1 else FLOW_ODD) + c)
    t, one, end = uintp(y), uintp(1), uintp(width)
    for x in range(end - one):
        step = component[t, x + one] - component[t, x]
        weight = quadratic + robust / (scale + step * step)
        rows[right, x + one] = weight
        rows[FLOW_RIGHT, x + one] = weight * step
    below = uintp(min(y + 1, height - 1))
    present = np.float32(1.0 if y + 1 < height else 0.0)
    for x in range(end):
        step = component[below, x] - component[t, x]
        weight = present * (quadratic + robust / (scale + step * step))
        rows[down, x + one] = weight
        rows[now, x + one] = weight * step
    for x in range(one, end + one):
        rows[b, x] += rows[FLOW_RIGHT, x] - rows[FLOW_RIGHT, x - one] + rows[now, x] - rows[above, x]


@compiled_kernel
def _deal_buffer_row(
    rows: Any, source: int, p: Any, plane: int, start: int, plane_odd: int, start_odd: int, count: int
) -> None:
    """Copy a row's even columns to one plane and its odd columns to another."""
    r, a, b, oa, ob = uintp(source), uintp(plane), uintp(plane_odd), uintp(start), uintp(start_odd)
    one, two = uintp(1), uintp(2)
    for k in range(uintp(count)):
        p[a, oa + k] = rows[r, two * k + one]
        p[b, ob + k] = rows[r, two * k + two]


@compiled_kernel
def _deal_row(rows: Any, p: Any, y: int, stride: int) -> None:
    """Copy one row from natural order to its red and black planes (named in `services.flow.multigrid`).

    In even rows, even columns are red. The red end of an edge stores it. So an edge to the right of a black pixel is
    the left edge of the next red pixel. An edge down from a black pixel is the upper edge of the red one below.
    """
    here, count, odd = (y + 1) * stride + 1, stride - 2, y & 1
    for c in range(2):
        left, right, up, down = 4 * c, 4 * c + 1, 4 * c + 2, 4 * c + 3
        if odd:
            _deal_buffer_row(rows, RIGHT + c, p, left, here, right, here, count)
            _deal_buffer_row(rows, DOWN + c, p, up, here + stride, down, here, count)
        else:
            _deal_buffer_row(rows, RIGHT + c, p, right, here, left, here + 1, count)
            _deal_buffer_row(rows, DOWN + c, p, down, here, up, here + stride, count)
        _deal_buffer_row(rows, BU + c, p, 24 + 2 * odd + c, here, 26 - 2 * odd + c, here, count)
    for d in range(3):
        _deal_buffer_row(rows, D11 + d, p, 8 + 3 * odd + d, here, 11 - 3 * odd + d, here, count)


@compiled_kernel
def linearise_at_flow(first: Any, pulled: Any, uv: Any, planes: Any, stride: int, energy: Any, outside: float) -> None:
    """Write edges, data terms and right-hand side of the increment at uv to the planes of the finest level.

    first: [H, W]. pulled: the warped second image, with a margin. uv: [2, H, W] px. planes: [PLANES, cells]. energy:
    [7], the constants of `services.flow.fast`. outside: share of the data term where uv leaves the image.
    """
    _mirror_margin(pulled)
    rows = np.zeros((ROWS, 2 * stride + 2), np.float32)
    rows[COLUMN] = np.arange(-1, 2 * stride + 1)
    for y in range(first.shape[0]):
        _write_derivative_row(first, pulled, y, rows)
        _write_data_row(uv, y, rows, energy, outside)
        _write_spatial_row(uv[0], y, 0, rows, energy)
        _write_spatial_row(uv[1], y, 1, rows, energy)
        _deal_row(rows, planes, y, stride)


@compiled_kernel
def apply_increment(uv: Any, planes: Any, stride: int, limit: float, red: int, black: int) -> None:
    """uv [2, H, W] += the solved increment, clamped to +-limit px; `red` and `black` are its first `planes`."""
    height, width = uv.shape[1:]
    bound = np.float32(limit)
    for c in range(2):
        of = (uintp(red + c), uintp(black + c))
        for y in range(height):
            o = uintp((y + 1) * stride + 1)
            for x in range(uintp(width)):
                step = planes[of[(x + uintp(y)) & uintp(1)], o + (x >> uintp(1))]
                uv[c, y, x] += max(-bound, min(bound, step))
