"""Head motion, taken out before it is magnified: every frame is moved, turned and scaled back onto the first.

A head drifts by as far as a micro-expression moves skin. Magnified, that is no longer the motion of a rigid head, since
the gain depends on texture and on how far an edge moves, and nothing behind can take it out. Drawn faces whose heads
drift by 0.8 px, factor 2, whatever is rigid taken out of both: the flow over the face has a correlation with the true
expression of 0.74 as recorded, of 0.93 steadied (benchmarks/head_motion.py, docs/explanation/stages/magnifier.md).

The motion of most of the picture is found from brightness alone (Lucas & Kanade 1981, from coarse to fine as Bergen et
al. 1992), reweighted as Cauchy's estimator does: what expresses, and a background that rests, are fewer and do not
count. A similarity is what a head does in the image plane; an affine motion, tried once, came out further off.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.magnifier.colour import YIQ_FROM_RGB

Floats = NDArray[Any]

LEVELS = (4, 2)  # the picture shrunk by this; full size found no better motion at four times the cost
SHORTEST = 16  # px a shrunk picture keeps, else its level is left out
SIGMA = 1.0  # px of blur at each level, so that a gradient holds for a pixel's way and noise counts less
ROUNDS = 10  # at most, per level
CLOSE = 1e-5  # of the longer side: steps below end a level
CAUCHY = 2.385  # times the residuals' spread: 95 % efficiency where they are normal
STEPS = 32  # OpenCV's per px
BORDER = 0.05  # share of each side that is not looked at: the motion brings in what frame 0 does not show


def steady_frames(rgb: Floats) -> Floats:
    """TxHxWx3 RGB -> the same clip, in place, each frame moved back onto frame 0 (Lanczos; the border is repeated)."""
    greys = [_luma_levels(frame) for frame in rgb]
    references = [ReferencePicture(grey) for grey in greys[0]]
    motion = np.zeros(4)  # each search begins where the last frame's ended: a head moves little from frame to frame
    for frame, levels in zip(rgb[1:], greys[1:], strict=True):
        for reference, grey in zip(references, levels, strict=True):
            motion = reference.estimate_motion(grey, motion)
        frame[:] = warp_by_motion(frame, motion)
    return rgb


class ReferencePicture:
    """A grey picture HxW, and how its brightness changes per unit of motion [4], as `moved` has it."""

    def __init__(self, grey: Floats) -> None:
        height, width = grey.shape
        top, left = max(1, round(BORDER * height)), max(1, round(BORDER * width))
        self.inner = slice(top, -top), slice(left, -left)
        self.values = grey[self.inner].astype(np.float64)
        longer = max(grey.shape)
        down, across = (slope[self.inner] * longer for slope in np.gradient(grey.astype(np.float64)))
        y, x = ((np.arange(size) - (size - 1) / 2) / longer for size in grey.shape)
        y, x = y[self.inner[0], None], x[None, self.inner[1]]
        self.slopes = np.stack([across, down, down * x - across * y, across * x + down * y])

    def estimate_motion(self, grey: Floats, start: Floats) -> Floats:
        """The motion [4] to a later picture HxW, from that of an earlier one; `start` where nothing comes nearer."""
        motion, nearest = start, (np.inf, start)
        for _ in range(ROUNDS):
            left = warp_by_motion(grey, motion)[self.inner] - self.values
            spread = 1.4826 * float(np.median(np.abs(left)))
            if spread >= nearest[0]:
                break
            nearest = spread, motion
            weights = 1 / (1 + (left / (CAUCHY * spread + 1e-12)) ** 2)
            weighted = self.slopes * weights
            # einsum, not BLAS: the sums must not depend on how many threads share them, or artifacts would
            normal = np.einsum("ihw,jhw->ij", weighted, self.slopes)
            step = np.linalg.lstsq(normal, np.einsum("ihw,hw->i", weighted, left))[0]
            motion = motion - step
            if np.abs(step).max() < CLOSE:
                return motion
        return nearest[1]


def warp_by_motion(image: Floats, motion: Floats) -> Floats:
    """HxW or HxWx3 -> what it shows at every place of the reference after `motion` = (x, y, turn, scale), in shares of
    the longer side and about the centre.

    Lanczos, since OpenCV's cubic kernel reads slopes up to a twentieth px off. OpenCV reads at multiples of 1/32 px and
    would leave a head that jitters by as much; the slope of what is read adds the rest of the way.
    """
    height, width = image.shape[:2]
    x, y = np.arange(width) - (width - 1) / 2, np.arange(height)[:, None] - (height - 1) / 2
    shift_x, shift_y = max(height, width) * motion[:2]
    _, _, turn, scale = motion
    at = np.stack([x + (shift_x + scale * x - turn * y), y + (shift_y + turn * x + scale * y)])
    at += np.array([width - 1, height - 1])[:, None, None] / 2
    near = np.rint(at * STEPS) / STEPS
    read = cv2.remap(image, *near.astype(np.float32), cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
    across, down = (cv2.Sobel(read, -1, *axis, ksize=1, scale=0.5) for axis in ((1, 0), (0, 1)))
    rest_x, rest_y = (at - near).astype(image.dtype).reshape(2, height, width, *[1] * (image.ndim - 2))
    return np.asarray(read + rest_x * across + rest_y * down)


def _luma_levels(frame: Floats) -> list[Floats]:
    """HxWx3 -> its brightness at each level, float32."""
    luma = (frame @ YIQ_FROM_RGB[0].astype(frame.dtype)).astype(np.float32)
    sizes = [(round(luma.shape[1] / by), round(luma.shape[0] / by)) for by in LEVELS]
    small = [cv2.resize(luma, size, interpolation=cv2.INTER_AREA) for size in sizes if min(size) >= SHORTEST]
    return [cv2.GaussianBlur(level, (0, 0), SIGMA, borderType=cv2.BORDER_REPLICATE) for level in small]
