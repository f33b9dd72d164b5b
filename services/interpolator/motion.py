"""How far the content of two frames is apart: what decides whether a plain blend of them is good enough.

Lucas & Kanade, "An Iterative Image Registration Technique", IJCAI 1981: one least-squares step per window, on frames
reduced by `REDUCE`, which makes 4 px a small motion and averages the camera's noise. A constant change of light in a
window drops out. Where there is no texture the ridge pulls the estimate to zero, rightly: there a blend cannot ghost.
On a real face the estimate is 1.25 to 1.35 of a shift of all of it and 0.85 of the peak of local bumps (0.3 to 3 px).
"""

import torch
from torch import Tensor
from torch.nn import functional

REDUCE = 4  # px from cell to cell
WINDOW = 5  # cells: 20 px, about a brow
RIDGE = 6.0  # (grey levels per cell)^2: gradients of that size are taken for noise
QUANTILE = 0.99  # of all windows: the strongest motion, not the luckiest noise
SMALLEST = REDUCE * (WINDOW + 2) + 6  # rows or columns that one window, its gradients and the smoothing take


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
    """Grey levels 0..255 [1,about H/4,about W/4]; two means over 4, so that fine texture does not alias into motion."""
    half = functional.avg_pool2d(frame.mean(0, keepdim=True) * 255, REDUCE, stride=2)
    return functional.avg_pool2d(half, REDUCE, stride=2)


def window_covariance(p: Tensor, q: Tensor) -> Tensor:
    """Of two images over each window: least squares with a free constant."""
    return window_mean(p * q) - window_mean(p) * window_mean(q)


def window_mean(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, WINDOW, stride=1)
