"""How the kernels for a GPU hold a level of the multigrid solver, and how they read and write it.

A level is one float32 buffer [B, PLANES_PER_LEVEL, H * W] with the planes below. A program of a kernel computes a block
of pixels of one pair.

Equal bits: every kernel applies the operations of `torch_linearise` and `torch_multigrid` in their order, each rounded
by itself. So callers switch the contraction of multiplication and addition off (`EXACT`), and divisions are `div_rn`.
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

EXACT: dict[str, Any] = {"enable_fp_fusion": False}  # of every launch

# Kernels read global values only as constants; elsewhere their `value` counts.
PLANES_PER_LEVEL = tl.constexpr(24)
RIGHT, DOWN, DATA, INVERSE = tl.constexpr(0), tl.constexpr(2), tl.constexpr(4), tl.constexpr(7)
X, Y, RIGHT_SIDE = tl.constexpr(10), tl.constexpr(12), tl.constexpr(14)
SOLUTION, DIRECTION, IMAGE = tl.constexpr(16), tl.constexpr(18), tl.constexpr(22)


@triton.jit
def read_values(plane, at, mask):
    """Values of a plane; 0 where the mask is false."""
    return tl.load(plane + at, mask=mask, other=0.0)


@triton.jit
def write_values(plane, at, value, mask):
    tl.store(plane + at, value, mask=mask)


@triton.jit
def pixels_of_block(block, count, BLOCK: tl.constexpr):
    """Indices [BLOCK] of a block's pixels, and which of them exist."""
    at = block * BLOCK + tl.arange(0, BLOCK)
    return at, at < count


@triton.jit
def level_of_pair(levels, pair, count):
    """Where a pair's planes start in a level's buffer; `count` pixels each."""
    return levels + pair.to(tl.int64) * PLANES_PER_LEVEL * count


@triton.jit
def read_block(level, plane, count, at, mask):
    """The three planes of a symmetric block."""
    block = level + plane * count
    return read_values(block, at, mask), read_values(block + count, at, mask), read_values(block + 2 * count, at, mask)


@triton.jit
def neighbour_masks(at, mask, width, count):
    """Which pixels have a neighbour above, to the left, to the right and below."""
    column = at % width
    return mask & (at >= width), mask & (column > 0), mask & (column < width - 1), mask & (at < count - width)


@triton.jit
def read_neighbours(plane, at, up, left, right, down, width):
    """Values of a plane above, to the left, to the right and below."""
    return (
        read_values(plane, at - width, up),
        read_values(plane, at - 1, left),
        read_values(plane, at + 1, right),
        read_values(plane, at + width, down),
    )


@triton.jit
def write_pair(level, plane, count, at, u, v, mask):
    write_values(level + plane * count, at, u, mask)
    write_values(level + (plane + 1) * count, at, v, mask)
