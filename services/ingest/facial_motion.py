"""How far the skin of a face has moved against a reference frame, the motion of the head taken out.

Dense inverse search flow (Kroeger et al. 2016), from which an affine motion is fitted robustly over the face. The frame
is then warped back by that motion and the flow taken again: where the head moved a whole pixel the flow's own error
outweighs a micro-expression, and a stabilised frame has next to none of it.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from services.ingest.image import Frame

LONGEST = 140  # px of the longer side at which flow is computed; at 280 it cost four times as much for no better apex
SHORTEST = 32  # px that the shorter side keeps: the search refuses images below 12
MOVING = 0.1  # share of the face that counts: a micro-expression moves a small part of it
PASSES = 2  # flow, stabilise, flow
REWEIGHTINGS = 5

Floats = NDArray[np.float64]
Grey = NDArray[np.uint8]


def measure_skin_motion(
    frames: Sequence[Frame] | NDArray[np.uint8], reference: int, mask: NDArray[np.bool_], blur: float
) -> Floats:
    """[T] px: displacement of the tenth of the face in `mask` (HxW) that moved most between frame `reference` and each
    of the TxHxWx3 RGB frames. `blur` is a Gaussian sigma in px of the frames."""
    scale = min(1.0, max(LONGEST / max(mask.shape), SHORTEST / min(mask.shape)))
    small = _shrink_image(mask.astype(np.uint8), scale, cv2.INTER_NEAREST).astype(bool)
    greys = (_shrink_image(_blur_to_grey(frame, blur), scale, cv2.INTER_AREA) for frame in frames)
    still = _shrink_image(_blur_to_grey(frames[reference], blur), scale, cv2.INTER_AREA)
    count = max(1, round(MOVING * int(small.sum())))
    left = [float(np.partition(lengths, -count)[-count:].mean()) for lengths in _residual_lengths(still, greys, small)]
    return np.array([length / scale for length in left])


def _residual_lengths(still: Grey, greys: Iterator[Grey], mask: NDArray[np.bool_]) -> Iterator[Floats]:
    """Per frame the length of what is left of the flow in `mask`, px. A head moves little from frame to frame, so each
    search for its motion starts at that of the frame before."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    y, x = np.mgrid[: still.shape[0], : still.shape[1]].astype(np.float32)
    places = np.stack([np.ones_like(x), x / x.shape[1] - 0.5, y / x.shape[0] - 0.5], -1).astype(np.float64)
    head = np.zeros((3, 2))
    for grey in greys:
        for _ in range(PASSES):
            u, v = np.moveaxis(places @ head, -1, 0).astype(np.float32)
            steady = cv2.remap(grey, x + u, y + v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            flow = search.calc(still, steady, None)[mask].astype(np.float64)  # type: ignore[call-overload]
            step, residual = _fit_affine(flow, places[mask])
            head = head + step
        yield residual


def _fit_affine(flow: Floats, places: Floats) -> tuple[Floats, Floats]:
    """Coefficients [3,2] of the affine motion of most of the points and the distances [n] from it, by least squares
    reweighted as Cauchy's estimator does."""
    weights = np.ones(len(flow))
    for _ in range(REWEIGHTINGS):
        weighted = places * weights[:, None]
        fitted = np.asarray(np.linalg.solve(weighted.T @ places + 1e-6 * np.eye(3), weighted.T @ flow), np.float64)
        lengths: Floats = np.hypot(*(flow - places @ fitted).T)
        weights = 1 / (1 + (lengths / max(float(np.median(lengths)), 1e-3)) ** 2)
    return fitted, lengths


def _blur_to_grey(frame: Frame, sigma: float) -> Grey:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    if sigma > 0:
        grey = cv2.GaussianBlur(grey, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(grey, np.uint8)


def _shrink_image(image: Grey, scale: float, interpolation: int) -> Grey:
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=interpolation), np.uint8)
