"""The kernels for a GPU give the bits of the tensors. Here triton's interpreter runs them, operation by operation."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="needs triton")

# pairs x rows x columns; one level only, two levels, odd sizes, single lines, and sizes above a tile of 1024 pixels
SHAPES = [(2, 3, 4), (2, 9, 7), (1, 1, 11)]
MORE_SHAPES = [(1, 1, 1), (1, 12, 1), (2, 40, 37), (1, 70, 56)]

COMPARE = """
import sys, numpy as np, torch
from services.flow import torch_flow, triton_flow
from shared.stage_settings.flow import FLOW_PROFILES
for line in sys.stdin:
    profile, alpha, iterations, *shape = line.split()
    pairs, rows, columns = map(int, shape)
    rng = np.random.default_rng(0)
    draw = lambda *size: torch.from_numpy(rng.uniform(0, 255, size).astype(np.float32))
    first, second, uv = draw(pairs, rows, columns), draw(pairs, rows, columns), draw(pairs, 2, rows, columns) / 99 - 1
    first[0], second[0] = first[0] * 0 + 7, second[0] * 0 + 7  # a flat pair: nothing to solve
    args = first, second, uv, float(alpha), FLOW_PROFILES[profile], int(iterations)
    on_tensors = torch_flow.solve_increment_batch(*args)
    by_kernels = triton_flow.KernelSolver(pairs, (rows, columns), first.device).solve_increment(*args)
    moves = rows * columns == 1 or on_tensors.abs().max().item() > 0.1
    print(line.strip(), moves, torch.equal(on_tensors, by_kernels))
"""


def compare_solvers(cases):
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", COMPARE]
    given = "".join(" ".join(map(str, case)) + "\n" for case in cases)
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [line + " True True" for line in given.splitlines()]


def test_kernels_give_the_bits_of_tensors():
    compare_solvers(
        [("corrected", 0.5, 2, *SHAPES[0]), ("paper", 0.0, 2, *SHAPES[1]), ("corrected", 0.0, 1, *SHAPES[2])]
    )


@pytest.mark.exhaustive
@pytest.mark.parametrize("shape", SHAPES + MORE_SHAPES)
def test_kernels_give_the_bits_of_tensors_at_every_size(shape):
    compare_solvers([("corrected", 1.0, 3, *shape), ("paper", 0.0, 3, *shape)])
