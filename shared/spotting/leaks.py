"""What a person's lids and head do to the measured motion of other regions, estimated from the recording itself.

Lids that close drag the flow beside the eyes along, and a head's motion is never fitted in full. Both are the same
each time, so they are proportional to how far the lids are closed and to where the head is. The factors are fitted
to second differences in time, in which slow drift cancels. Expressions are rare: Tukey's weights leave them out.
"""

from typing import NamedTuple

import numpy as np

from shared.spotting.face_motion import FaceMotion, Values
from shared.spotting.regions import LID_REGIONS
from shared.spotting.resampling import bend_course, running_median, sample_evenly

LEAK_LAGS = (0.18, 0.6, 1.2)  # s
LEAK_ROUNDS = 5
TUKEY = 4.685  # spreads beyond which a residual counts nothing: 95 % efficiency for normal residuals
# What stands against a factor, in squares of the noise: a factor is 0 unless the recording shows it.
RIDGE = 30.0
MOST_ROWS = 30_000  # that are fitted; of more only some
USUAL_MOUTH = 0.2  # quantile of the lips' opening that counts as closed


class QuietCourse(NamedTuple):
    """A segment at even times.

    displacement: [T, R, 2] without what lids and head add. closure: [T, 2] how far the eyes are closed, 0 to 1.
    opening: [T] of the lips beyond the usual one, distances between the eyes.
    """

    displacement: Values
    closure: Values
    opening: Values


def remove_leaks(motion: FaceMotion, rate: float) -> QuietCourse:
    """The displacement of a segment at `rate` frames/s, cleaned. Segments under a few seconds stay as they are."""
    course = sample_evenly(motion.times, motion.displacement, rate)
    closure = measure_closure(motion, rate)
    mouth = sample_evenly(motion.times, motion.mouth, rate)
    opening = np.maximum(mouth - np.quantile(mouth, USUAL_MOUTH), 0)
    causes = np.concatenate([closure, sample_evenly(motion.times, motion.head, rate)], 1)
    lags = [max(1, round(lag * rate)) for lag in LEAK_LAGS]
    lags = [lag for lag in lags if 4 * lag < len(course)]
    if not lags:
        return QuietCourse(course, closure, opening)
    effects = np.concatenate([bend_course(course, lag).reshape(len(course), -1) for lag in lags])
    bends = np.concatenate([bend_course(causes, lag) for lag in lags])
    thin = -(-len(bends) // MOST_ROWS)
    factors = fit_factors(bends[::thin], effects[::thin])
    quiet = course - (causes @ factors).reshape(course.shape)
    quiet[:, LID_REGIONS] = course[:, LID_REGIONS]  # they are what the closure comes from
    return QuietCourse(quiet, closure, opening)


def measure_closure(motion: FaceMotion, rate: float) -> Values:
    """How far the person's left and right eye are closed at even times, [T, 2]: 0 as usual, 1 shut."""
    lids = sample_evenly(motion.times, motion.lids, rate)
    usual = running_median(lids, max(3, round(4 * rate)))
    return np.clip(1 - lids / np.maximum(usual, 1e-6), 0, 1)


def fit_factors(causes: Values, effects: Values) -> Values:
    """Factors [C, E] by which causes [N, C] make effects [N, E], by reweighted least squares for each effect."""
    spread = np.maximum(1.4826 * np.median(np.abs(effects), axis=0), 1e-9)
    scale = np.maximum(causes.std(0), 1e-9)
    terms = causes / scale
    factors = np.zeros((causes.shape[1], effects.shape[1]))
    weights = np.clip(1 - (effects / (TUKEY * spread)) ** 2, 0, None) ** 2 + 0.01
    for _ in range(LEAK_ROUNDS):
        for at in range(effects.shape[1]):
            weighted = terms * weights[:, at, None]
            normal = np.einsum("ni,nj->ij", weighted, terms) + RIDGE * np.eye(len(scale))
            factors[:, at] = np.linalg.solve(normal, np.einsum("ni,n->i", weighted, effects[:, at]))
        left = effects - terms @ factors
        spread = np.maximum(1.4826 * np.median(np.abs(left), axis=0), 1e-9)
        weights = np.clip(1 - (left / (TUKEY * spread)) ** 2, 0, None) ** 2
    return np.asarray(factors / scale[:, None])
