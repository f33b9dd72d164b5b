"""Joining what was measured from one anchor after the other to one course in time."""

import numpy as np
from numpy.typing import NDArray

from shared.spotting.face_motion import Values


def join_courses(times: Values, anchors: NDArray[np.int64], displacement: Values) -> Values:
    """One course [T, R, 2] of displacements [T, 2, R, 2] from an older and a newer anchor (NaN: none).

    anchors: [T] number of the older one. While both are measured, the newer course is moved onto the older one by the
    median of their difference, and one fades into the other.
    """
    joined = np.array(displacement[:, 0])
    offset = np.zeros(displacement.shape[2:])
    for number in np.unique(anchors):
        own = np.flatnonzero(anchors == number)
        joined[own] += offset
        both = own[~np.isnan(displacement[own, 1, 0, 0])]
        if len(both) == 0:
            continue
        offset = np.median(joined[both] - displacement[both, 1], axis=0)
        span = times[both[-1]] - times[both[0]]
        share = (times[both] - times[both[0]]) / span if span > 0 else np.full(len(both), 0.5)
        newer = displacement[both, 1] + offset
        joined[both] += share[:, None, None] * (newer - joined[both])
    return joined
