"""Temporal band-pass of EVM: the difference of two first-order Butterworth low-passes."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def low_pass(cutoff: float) -> tuple[float, float]:
    """First-order Butterworth low-pass at a share 0..1 of the Nyquist frequency: its b (twice) and its a[1].

    Bilinear transform with prewarping. At Nyquist and above the limit of the formula, 1 and 1, has its pole on the unit
    circle, cancelled by a zero: it passes everything. 0.5, 0 with the delay taken out would not; see `band_pass`.
    """
    warped = np.tan(np.pi * cutoff / 2)
    return float(warped / (1 + warped)), float((warped - 1) / (warped + 1))


def low_passed(change: Floats, cutoff: float) -> Floats:
    """Filter along axis 0 from rest: what comes before the first row is zero, as is the filter's state."""
    if cutoff >= 1:  # everything that frames at this rate can show lies below
        return change
    b, a = (change.dtype.type(value) for value in low_pass(cutoff))
    out = b * change
    out[1:] += b * change[:-1]
    for t in range(1, len(out)):
        out[t] -= a * out[t - 1]
    return out


def band_pass(frames: Floats, low: float, high: float) -> Floats:
    """T x ... -> (T-1) x ...: what moves between the cut-offs (shares of Nyquist), frame 0 being the steady state.

    Filters the change against frame 0: the same in exact arithmetic, and a clip without change gives exact zeros.
    """
    change = frames[1:] - frames[0]
    return low_passed(change, high) - low_passed(change, low)
