"""The compiled linear solver against a dense one, on systems with jumping weights."""

import numpy as np
import pytest

from services.flow import multigrid


def random_system(shape, seed):
    """Edges (u, v) x (right, down), rank-one data terms and a right-hand side; natural order."""
    rng = np.random.default_rng(seed)
    edges = 10.0 ** rng.uniform(-2, 1, (2, 2, *shape))
    edges[:, 0, :, -1] = edges[:, 1, -1] = 0.0
    gradient = rng.normal(size=(2, *shape)) * (rng.random(shape) < 0.5)
    ridge = 1e-3
    data = np.array([gradient[0] ** 2 + ridge, gradient[0] * gradient[1], gradient[1] ** 2 + ridge])
    return edges, data, rng.normal(size=(2, *shape))


def dense(edges, data):
    """The same system as a matrix over (component, row, column)."""
    _, height, width = data.shape
    index = np.arange(2 * height * width).reshape(2, height, width)
    matrix = np.zeros((index.size, index.size))
    for c in range(2):
        pairs = [
            (index[c, :, :-1], index[c, :, 1:], edges[c, 0, :, :-1]),
            (index[c, :-1], index[c, 1:], edges[c, 1, :-1]),
        ]
        for a, b, weight in pairs:
            for i, j, w in zip(a.ravel(), b.ravel(), weight.ravel(), strict=True):
                matrix[[i, j, i, j], [i, j, j, i]] += [w, w, -w, -w]
        matrix[index[c].ravel(), index[c].ravel()] += data[2 * c].ravel()
    u, v = index.reshape(2, -1)
    matrix[u, v] = matrix[v, u] = data[1].ravel()
    return matrix


def fill(grid, edges, data, right):
    """Write a system to the finest level's planes."""
    height, width, stride, _ = grid.levels[0]
    planes = grid.buffer[: multigrid.PLANES * (height + 3) * stride].reshape(multigrid.PLANES, height + 3, stride)
    for y in range(height):
        for x in range(width):
            at, red = (y + 1, x // 2 + 1), (y + x) % 2 == 0
            planes[(slice(8, 11) if red else slice(11, 14), *at)] = data[:, y, x]
            planes[(slice(24, 26) if red else slice(26, 28), *at)] = right[:, y, x]
            for c in range(2 if red else 0):
                left, up = edges[c, 0, y, x - 1] if x else 0.0, edges[c, 1, y - 1, x] if y else 0.0
                planes[(slice(4 * c, 4 * c + 4), *at)] = [left, edges[c, 0, y, x], up, edges[c, 1, y, x]]
    return planes


def solution(planes, shape):
    found = np.empty((2, *shape))
    for y, x in np.ndindex(shape):
        first = multigrid.SOLUTION if (y + x) % 2 == 0 else multigrid.X_BLACK
        found[:, y, x] = planes[first : first + 2, y + 1, x // 2 + 1]
    return found


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (5, 4), (12, 13), (17, 16)])
def test_solves_to_single_precision(shape):
    edges, data, right = random_system(shape, seed=sum(shape))
    grid = multigrid.make_grid(shape)
    planes = fill(grid, edges, data, right)
    expected = np.linalg.solve(dense(edges, data), right.ravel()).reshape(right.shape)
    multigrid.solve_system(grid.buffer, grid.levels, 2, 60, 1e-7 * np.abs(expected).max())
    assert np.abs(solution(planes, shape) - expected).max() < 2e-4 * np.abs(expected).max()


def test_few_cycles_suffice_because_the_coarse_grids_fit():
    shape = (40, 33)
    edges, data, right = random_system(shape, seed=0)
    edges = np.where(edges > 0, 5.0 + edges, 0.0)
    right = np.ones_like(right) + 0.1 * right  # mostly smooth: out of reach for relaxation alone
    grid = multigrid.make_grid(shape)
    planes = fill(grid, edges, data, right)
    expected = np.linalg.solve(dense(edges, data), right.ravel()).reshape(right.shape)
    assert multigrid.solve_system(grid.buffer, grid.levels, 2, 3, 0.0) == 3
    off = np.abs(solution(planes, shape) - expected).max() / np.abs(expected).max()
    assert off < 6e-4


def test_nothing_to_solve_stays_zero():
    grid = multigrid.make_grid((6, 5))
    planes = fill(grid, np.zeros((2, 2, 6, 5)), np.zeros((3, 6, 5)), np.zeros((2, 6, 5)))
    assert multigrid.solve_system(grid.buffer, grid.levels, 2, 5, 0.0) == 0
    assert not solution(planes, (6, 5)).any()
