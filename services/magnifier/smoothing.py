"""Temporal low-pass of the magnifier for frames at any times, without delay: a cubic smoothing spline.

A smoothing spline with penalty 1 / (2 pi f)^4 on its second derivative responds as 1 / (1 + (frequency / f)^4). That is
a Butterworth filter of second order without phase (Unser & Eden 1998; Green & Silverman 1994). A causal filter delays
the apex and lowers it by a tenth in a clip of 0.2 s, and it needs frames at equal distances.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from services.magnifier.arrays import Doubles, Floats


def smoothing_matrix(times: NDArray[np.float64], cutoff: float) -> Doubles:
    """[T-1, T-1]: the low-pass of changes against frame 0, which stays 0, for frames at `times` [T], s; cutoff in Hz.

    Frames much further apart than 1 / cutoff pass unchanged.
    """
    steps = np.diff(times)
    weights = np.append(steps, 0) / 2 + np.insert(steps, 0, 0) / 2  # s that each frame stands for
    penalty = bending_energy(times) / (2 * np.pi * cutoff) ** 4
    later = slice(1, None)
    return np.asarray(np.linalg.solve((np.diag(weights) + penalty)[later, later], np.diag(weights[later])))


def bending_energy(times: NDArray[np.float64]) -> Doubles:
    """[T, T]: the quadratic form whose value is the integral of the squared second derivative of the natural cubic
    spline through values at `times` [T], s."""
    count, steps = len(times), np.diff(times)
    bends = np.zeros((count, max(count - 2, 0)))
    for column, (before, after) in enumerate(pairwise(steps)):
        bends[column : column + 3, column] = 1 / before, -1 / before - 1 / after, 1 / after
    inner = np.diag((steps[:-1] + steps[1:]) / 3) + np.diag(steps[1:-1] / 6, 1) + np.diag(steps[1:-1] / 6, -1)
    return np.asarray(bends @ np.linalg.solve(inner, bends.T)) if count > 2 else np.zeros((count, count))


def smooth_changes(frames: Floats, times: NDArray[np.float64], low: float, high: float) -> Floats:
    """T x ... -> (T-1) x ...: what changes against frame 0 between two cut-offs in Hz. With `low` 0, all below `high`.

    `times` [T] are those of the frames, s. Sums are taken in the order of the frames.
    """
    change: Floats = frames[1:] - frames[0]
    mixture = smoothing_matrix(times, high)
    if low:
        mixture = mixture - smoothing_matrix(times, low)
    passed = np.zeros_like(change)
    for index, row in enumerate(mixture.tolist()):
        for weight, each in zip(row, change, strict=True):
            passed[index] += weight * each
    return passed
