"""The strongest motion between two frames, which decides whether a plain blend of them is good enough.

Lucas & Kanade, "An Iterative Image Registration Technique", IJCAI 1981: one least-squares step per window, on frames
reduced by `REDUCE`. The reduction makes 4 px a small motion and averages the camera's noise. A constant change of light
in a window has no effect. Without texture the ridge pulls the estimate to zero, which is right: there a blend shows no
ghost. On a real face the estimate is 1.25 to 1.35 of a shift of the whole face. It is 0.85 of the peak of local bumps
(0.3 to 3 px).
"""

import torch
from torch import Tensor
from torch.nn import functional

REDUCE = 4  # px from cell to cell
WINDOW = 5  # cells: 20 px, about a brow
RIDGE = 6.0  # (grey levels per cell)^2: gradients of that size count as noise
QUANTILE = 0.99  # share of the windows: the maximum would follow noise
SMALLEST = REDUCE * (WINDOW + 2) + 6  # px: rows or columns that one window, its gradients and the smoothing need


def peak_motion(first: Tensor, second: Tensor) -> float:
    """Two frames [3,H,W] in 0..1, H and W >= `SMALLEST` -> the strongest motion between them, px."""
    a, b = reduce_frame(first), reduce_frame(second)
    middle = (a + b) / 2
    gx = (middle[:, 1:-1, 2:] - middle[:, 1:-1, :-2]) / 2
    gy = (middle[:, 2:, 1:-1] - middle[:, :-2, 1:-1]) / 2
    gt = (b - a)[:, 1:-1, 1:-1]
    xx, xy, yy = window_covariance(gx, gx) + RIDGE, window_covariance(gx, gy), window_covariance(gy, gy) + RIDGE
    xt, yt = window_covariance(gx, gt), window_covariance(gy, gt)
    determinant = xx * yy - xy * xy
    speed = torch.hypot(xy * yt - yy * xt, xy * xt - xx * yt) / determinant
    return float(torch.quantile(speed, QUANTILE)) * REDUCE


def reduce_frame(frame: Tensor) -> Tensor:
    """Frame [3,H,W] in 0..1 -> grey levels 0..255 [1,about H/4,about W/4].

    It takes two means over 4 px, so that fine texture does not alias into motion.
    """
    half = functional.avg_pool2d(frame.mean(0, keepdim=True) * 255, REDUCE, stride=2)
    return functional.avg_pool2d(half, REDUCE, stride=2)


def window_covariance(p: Tensor, q: Tensor) -> Tensor:
    """Covariance of two images [1,H,W] over each window: [1,H - 4,W - 4], as in least squares with a free constant."""
    return window_mean(p * q) - window_mean(p) * window_mean(q)


def window_mean(x: Tensor) -> Tensor:
    """Mean of an image [1,H,W] over each window: [1,H - 4,W - 4]."""
    return functional.avg_pool2d(x, WINDOW, stride=1)
