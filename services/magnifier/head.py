"""Removal of head motion before magnification: every frame is moved, turned and scaled back onto the first.

A head drifts by as far as a micro-expression moves skin. After magnification, the drift is no longer the motion of a
rigid head, since the gain depends on texture and on the distance that an edge moves. No later step can remove it.
Drawn faces whose heads drift by 0.8 px were measured at factor 2. The flow over the face correlates with the true
expression by 0.74 as recorded and by 0.93 steadied. Rigid motion is removed from both before the comparison
(benchmarks/head_motion.py, docs/explanation/stages/magnifier.md).

The motion of most of the picture is estimated from brightness alone: Lucas & Kanade 1981, from coarse to fine as Bergen
et al. 1992. Cauchy's estimator reweights the residuals, so that the pixels of the expression and of a resting
background hardly count. The model is a similarity, which is a head's motion in the image plane. An affine model was
tried once and was less accurate.
"""

import cv2
import numpy as np

from services.magnifier.colour import YIQ_FROM_RGB
from services.magnifier.ops import Floats

LEVELS = (4, 2)  # factors by which the picture is shrunk; full size was not better and cost four times as much
SHORTEST = 16  # px: smallest side of a shrunk picture; a smaller level is skipped
SIGMA = 1.0  # px of blur at each level, so that a gradient is valid over a pixel and noise counts less
ROUNDS = 10  # most iterations per level
CLOSE = 1e-5  # share of the longer side: a smaller step ends a level
CAUCHY = 2.385  # scale, in spreads of the residuals: 95 % efficiency for normal residuals
STEPS = 32  # per px: the grid on which OpenCV interpolates
BORDER = 0.05  # share of each side that is left out: there the motion brings in what frame 0 does not show


def steady_frames(rgb: Floats) -> Floats:
    """[T, H, W, 3] RGB floats -> the same array, each frame moved onto frame 0 in place (Lanczos, border repeated)."""
    greys = [luma_levels(frame) for frame in rgb]
    references = [ReferencePicture(grey) for grey in greys[0]]
    motion = np.zeros(4)  # each search starts at the motion of the frame before: a head moves little between frames
    for frame, levels in zip(rgb[1:], greys[1:], strict=True):
        for reference, grey in zip(references, levels, strict=True):
            motion = reference.estimate_motion(grey, motion)
        frame[:] = warp_by_motion(frame, motion)
    return rgb


class ReferencePicture:
    """A grey picture [H, W] and the change of its brightness per unit of motion [4]; motion as in `warp_by_motion`."""

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
        """The motion [4] from here to the picture `grey` [H, W], found from `start` [4]; `start` if none is better."""
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
    """Read an image [H, W] or [H, W, 3] at every pixel of the reference after `motion`; the shape stays.

    motion: [4] x and y (to the right, down; shares of the longer side), turn (rad) and scale (share) about the centre.
    Lanczos is used since OpenCV's cubic kernel reads slopes up to a twentieth px off. OpenCV reads at multiples of
    1/32 px, which would leave a head that jitters by as much. The slope of the result adds the remaining distance.
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


def luma_levels(frame: Floats) -> list[Floats]:
    """[H, W, 3] -> luma at each of `LEVELS`, float32, blurred."""
    luma = (frame @ YIQ_FROM_RGB[0].astype(frame.dtype)).astype(np.float32)
    sizes = [(round(luma.shape[1] / by), round(luma.shape[0] / by)) for by in LEVELS]
    small = [cv2.resize(luma, size, interpolation=cv2.INTER_AREA) for size in sizes if min(size) >= SHORTEST]
    return [cv2.GaussianBlur(level, (0, 0), SIGMA, borderType=cv2.BORDER_REPLICATE) for level in small]
