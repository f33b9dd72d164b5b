"""Temporal band-pass of EVM, on arrays or tensors: the difference of two first-order Butterworth low-passes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]


def low_pass_coefficients(cutoff: float) -> tuple[float, float]:
    """First-order Butterworth low-pass with its cut-off at a share 0..1 of Nyquist: num (twice the same) and den[1].

    Bilinear transform, cut-off prewarped. Towards Nyquist pole and zero meet at -1: the filter becomes the identity.
    """
    warped = np.tan(np.pi / 2 * cutoff)
    return float(warped / (warped + 1)), float((warped - 1) / (warped + 1))


def apply_low_pass(change: Floats, cutoff: float) -> Floats:
    """Filtered along axis 0, starting from rest: zeros come before the first row.

    From Nyquist on (a clip slower than 2 * fh frames/s) all that the frames can show passes, the limit of the formula.
    """
    if cutoff >= 1:
        return change
    num, den = low_pass_coefficients(cutoff)
    out: Floats = num * change
    out[1:] += num * change[:-1]
    for t in range(1, len(out)):
        out[t] -= den * out[t - 1]
    return out


def band_pass(frames: Floats, low: float, high: float) -> Floats:
    """T x ... -> (T-1) x ...: what moves between the cut-offs (shares of Nyquist), frame 0 being the steady state.

    It is the change against frame 0 that is filtered: equal in exact arithmetic, and where nothing changes exactly 0.
    """
    change: Floats = frames[1:] - frames[0]
    passed: Floats = apply_low_pass(change, high) - apply_low_pass(change, low)
    return passed
