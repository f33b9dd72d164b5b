"""How many of a clip's flows lead to its apex."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData
from shared.stage import Arrays


def count_apex_pairs(shown: Arrays, flow: Arrays) -> int:
    """The number of flows that lead to the frame nearest the apex.

    shown: the interpolator's artifact with `positions` [T] and `apex`, or `times` [T] and `apex_time`, s. flow: the
    flow's artifact with `flows` [F, N, 2, H, W]. Raises BadData for numbers of frames that do not fit.
    """
    at, apex = ("times", "apex_time") if "times" in shown else ("positions", "apex")  # uneven clips are timed in s
    return count_pairs_to_apex(shown[at][_magnified_frame_numbers(flow, len(shown[at]))], float(shown[apex]))


def _magnified_frame_numbers(flow: Arrays, frames: int) -> NDArray[np.int64]:
    """The interpolated frames [T + 1], of `frames`, that T flows lie between.

    Profile `paper` shows no onset, and its last flow may lead to a raw copy of the last frame, which is no motion.
    """
    flows = flow["flows"].shape[1]
    if "frame_numbers" not in flow:
        return np.arange(1, min(flows + 2, frames))
    numbers: NDArray[np.int64] = np.asarray(flow["frame_numbers"])
    if numbers.shape != (flows + 1,) or not ((numbers >= 0) & (numbers < frames)).all():
        raise BadData(
            f"expected the numbers of the {flows + 1} frames that {flows} flows lie between, each from 0 to "
            f"{frames - 1}, got {numbers.tolist()}; run interpolator, magnifier and flow again for this clip"
        )
    return numbers


def count_pairs_to_apex(positions: Sequence[float] | NDArray[Any], apex: float) -> int:
    """The number of flows from the first magnified frame to the frame nearest the apex; at least 1.

    `positions` [T] of the magnified frames and `apex` are in frames of the clip, or in s. A position may repeat at the
    end (a raw copy of the last frame): the first of the nearest frames counts.
    """
    return max(1, int(np.abs(np.asarray(positions, np.float64) - apex).argmin()))
