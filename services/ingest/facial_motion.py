"""Displacement of facial skin from a reference frame, without the motion of the head.

An affine motion is fitted robustly over the face to dense inverse search flow (Kroeger et al. 2016). The frame is then
warped back by this motion, and the flow is computed again. If the head moves a whole pixel, the error of the flow is
larger than a micro-expression. In a stabilised frame this error is almost zero.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.images.decoding import Frame

LONGEST = 140  # px of the longer side for the flow. 280 px cost four times as much and gave no better apex
SHORTEST = 32  # px, minimum of the shorter side: the search refuses images below 12
MOVING = 0.1  # share of the face that is averaged: a micro-expression moves a small part of it
PASSES = 2  # flow, stabilise, flow
REWEIGHTINGS = 5

Floats = NDArray[np.float64]
Grey = NDArray[np.uint8]


def measure_skin_motion(
    frames: Sequence[Frame] | NDArray[np.uint8], reference: int, mask: NDArray[np.bool_], blur: float
) -> Floats:
    """Mean displacement [T], px, of the tenth of the face that moved most, from frame `reference` to each frame.

    `frames` are [T,H,W,3], uint8 RGB, `mask` is the face [H,W]. `blur` is a Gaussian sigma in px of the frames.
    """
    scale = min(1.0, max(LONGEST / max(mask.shape), SHORTEST / min(mask.shape)))
    small = _shrink_image(mask.astype(np.uint8), scale, cv2.INTER_NEAREST).astype(bool)
    greys = (_shrink_image(_blur_to_grey(frame, blur), scale, cv2.INTER_AREA) for frame in frames)
    still = _shrink_image(_blur_to_grey(frames[reference], blur), scale, cv2.INTER_AREA)
    count = max(1, round(MOVING * int(small.sum())))
    left = [float(np.partition(lengths, -count)[-count:].mean()) for lengths in _residual_lengths(still, greys, small)]
    return np.array([length / scale for length in left])


def _residual_lengths(still: Grey, greys: Iterator[Grey], mask: NDArray[np.bool_]) -> Iterator[Floats]:
    """For each frame the lengths [n] of the flow in `mask` without head motion, px.

    A head moves little between frames, so the search for its motion starts at that of the previous frame.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    y, x = np.mgrid[: still.shape[0], : still.shape[1]].astype(np.float32)
    terms = np.stack([np.ones_like(x), x / x.shape[1] - 0.5, y / x.shape[0] - 0.5], -1).astype(np.float64)
    head = np.zeros((3, 2))
    for grey in greys:
        for _ in range(PASSES):
            u, v = np.moveaxis(terms @ head, -1, 0).astype(np.float32)
            steady = cv2.remap(grey, x + u, y + v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            flow = search.calc(still, steady, None)[mask].astype(np.float64)  # type: ignore[call-overload]
            step, residual = _fit_affine(flow, terms[mask])
            head = head + step
        yield residual


def _fit_affine(flow: Floats, terms: Floats) -> tuple[Floats, Floats]:
    """Coefficients [3,2] of the affine motion of most points [n,2], and distances [n] of the points from it, px.

    Least squares with the iterative weights of Cauchy's estimator.
    """
    weights = np.ones(len(flow))
    for _ in range(REWEIGHTINGS):
        weighted = terms * weights[:, None]
        fitted = np.asarray(np.linalg.solve(weighted.T @ terms + 1e-6 * np.eye(3), weighted.T @ flow), np.float64)
        lengths: Floats = np.hypot(*(flow - terms @ fitted).T)
        weights = 1 / (1 + (lengths / max(float(np.median(lengths)), 1e-3)) ** 2)
    return fitted, lengths


def _blur_to_grey(frame: Frame, sigma: float) -> Grey:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    if sigma > 0:
        grey = cv2.GaussianBlur(grey, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(grey, np.uint8)


def _shrink_image(image: Grey, scale: float, interpolation: int) -> Grey:
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=interpolation), np.uint8)
