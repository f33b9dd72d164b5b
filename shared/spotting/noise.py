"""How much regions move while nothing happens: the noise of a recording, beside which events are seen."""

import numpy as np

from shared.spotting.face_motion import Values

WINDOW_SECONDS = 1.0  # of a stretch in which the noise is measured
QUIET_SHARE = 0.25  # of the stretches are quieter than the noise that is reported
QUIET_BIAS = 1.1  # a quarter of the stretches of pure noise are quieter than this part of it, by chance
NORMAL_SPREAD = 1.4826  # standard deviation of normal noise in medians of its absolute values


def measure_noise(bends: Values, lag: int, rate: float) -> Values:
    """Robust standard deviation [R] of second differences [T, R, 2] over `lag` frames, from the quieter stretches.

    A person may talk for most of a recording. The median over all of it would then be the motion of speech.
    """
    width = max(round(WINDOW_SECONDS * rate), 2 * lag)
    stretches = np.array_split(np.abs(bends), max(1, len(bends) // width))
    medians = np.array([np.median(stretch, axis=0) for stretch in stretches])
    return np.asarray(NORMAL_SPREAD * QUIET_BIAS * np.quantile(medians, QUIET_SHARE, axis=0).max(-1))
