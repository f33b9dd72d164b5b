"""Temporal band-pass of EVM: the difference of two first-order Butterworth low-passes."""

import numpy as np

from services.magnifier.arrays import Floats


def low_pass_coefficients(cutoff: float) -> tuple[float, float]:
    """Coefficients of a first-order Butterworth low-pass, its cut-off at a share 0..1 of Nyquist.

    Returns b0 and a1 of y[t] = b0 (x[t] + x[t-1]) - a1 y[t-1], by the bilinear transform with the cut-off prewarped.
    Towards Nyquist pole and zero meet at -1, and the filter becomes the identity.
    """
    warped = np.tan(np.pi / 2 * cutoff)
    return float(warped / (warped + 1)), float((warped - 1) / (warped + 1))


def apply_low_pass(change: Floats, cutoff: float) -> Floats:
    """Filter T x ... along axis 0, starting from rest: zeros come before the first row. `cutoff` is a share of Nyquist.

    From Nyquist on (a clip slower than 2 * fh frames/s) everything passes, which is the limit of the formula.
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
    """T x ... -> (T-1) x ...: what changes between the cut-offs (shares of Nyquist); frame 0 is the steady state.

    The filter gets the change against frame 0. That is equal in exact arithmetic, and exactly 0 where nothing changes.
    """
    change: Floats = frames[1:] - frames[0]
    passed: Floats = apply_low_pass(change, high)
    return passed - apply_low_pass(change, low) if low else passed
