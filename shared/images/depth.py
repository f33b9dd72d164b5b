"""The true depth of 16-bit files, decided for a clip from all its frames: cameras write 10, 12 or 14 bits into them.

One frame alone does not tell: a dark frame of 14 bits has the values of a bright one of 12.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData

FULL, RANGE = 16, 1 << 16
CAMERA_DEPTHS = (8, 10, 12, 14)  # bits per value
NEAR_FULL = 0.9  # of a range. A clip that reaches this has that depth, a rare one too: no value is cut off
SHIFTED_BITS = 2  # lowest bits that are 0 everywhere, at least: values were moved up to the full range
FEW_LEVELS, TOO_FEW_LEVELS = 128, 32  # of the 256 of 8 bits: told, or refused if the files have far more
LOST = 4  # times as many values in the files as levels after scaling


@dataclass(frozen=True)
class Depth:
    """`bits` is the depth of the values, `levels` how many of 256 grey levels a frame has after scaling (median)."""

    bits: int
    levels: int

    @property
    def note(self) -> str:
        left = f"; {self.levels} grey levels are left"
        if self.bits == FULL:
            return "16-bit frames: the upper 8 bits of each value were kept" + (
                left if self.levels < FEW_LEVELS else ""
            )
        return f"16-bit frames that hold {self.bits}-bit values: the upper 8 of the {self.bits} bits were kept{left}"


def measure_depth(frames: Iterable[tuple[str, NDArray[Any]]]) -> Depth:
    """The depth of a clip's frames, pairs of a name and pixels [H,W] or [H,W,3]. Frames of 8 bits are passed over.

    Raises BadData if single frames are so much brighter than the others that the depth is ambiguous.
    """
    names, used = [], []
    for name, pixels in frames:
        if pixels.dtype == np.uint16:
            there = np.zeros(RANGE, np.bool_)
            there[pixels.reshape(-1)] = True
            names.append(name)
            used.append(there)
    bits = _true_bits(np.flatnonzero(np.any(used, axis=0)))
    values = float(np.median([there.sum() for there in used]))
    levels = int(np.median([_scaled_levels(there, bits) for there in used]))
    if levels < TOO_FEW_LEVELS and values >= LOST * levels:
        tops = [int(np.flatnonzero(there)[-1]) for there in used]
        brightest = int(np.argmax(tops))
        raise BadData(
            f"{names[brightest]}: expected 16-bit values of one depth in the clip, got up to {tops[brightest]} here, "
            f"up to {int(np.median(tops))} in half of the frames, and {levels} of 256 grey levels in those; save the "
            "frames as 8-bit PNG, all with the same scale."
        )
    return Depth(bits, levels)


def scale_to_bytes(pixels: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """The upper 8 of `bits` bits of the values, any shape."""
    return (pixels >> (bits - 8)).astype(np.uint8)


def _true_bits(values: NDArray[np.int64]) -> int:
    """From all values [n] of a clip, rising."""
    top = int(values[-1])
    shared_zeros = int(np.bitwise_or.reduce(values)) % (1 << SHIFTED_BITS) == 0
    covering = max(top.bit_length(), CAMERA_DEPTHS[0])
    if top >= NEAR_FULL * (1 << covering):
        return covering
    if top >= RANGE // 4 or (shared_zeros and top >= 1 << 12):
        return FULL
    return next(bits for bits in CAMERA_DEPTHS if top < 1 << bits)


def _scaled_levels(there: NDArray[np.bool_], bits: int) -> int:
    return int(there.reshape(-1, 1 << (bits - 8)).any(axis=1).sum())
