"""Frames of a clip, aligned with the first one: head motion and changes of light are taken out.

A head drifts, turns and nods by as far as a micro-expression moves skin. After magnification this is no longer the
motion of a rigid head, since the gain depends on texture and on the distance that an edge moves. Lamps and exposure
change the light, and the flow turns that into motion along every edge. No later step can remove either. Both are
estimated in one fit, because light that grows to one side looks like motion, and motion like a change of light.
Measured with known motion: benchmarks/head_motion.py, docs/explanation/stages/magnifier.md.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.registration.head_model import (
    FREE_TERMS,
    LIGHT_TERMS,
    RIGID_TERMS,
    Doubles,
    fit_surface,
    free_fields,
    light_fields,
    rigid_terms,
)
from shared.registration.reference import Fit, ReferencePicture
from shared.registration.warping import read_displaced

LEVELS = (4, 2)  # factors by which the picture is shrunk; full size was not better and cost three times as much
SMALLEST_SIDE = 16  # px: smallest side of a shrunk picture; a smaller level is skipped
SIGMA = 1.0  # px of blur at each level, so that a gradient is valid over a pixel and noise counts less
LUMA = np.array([0.2989360212937753, 0.5870430744511213, 0.11402090425510334])  # of NTSC


def align_frames(rgb: NDArray[Any], *, steady_head: bool = True, even_light: bool = True) -> NDArray[Any]:
    """[T, H, W, 3] RGB floats 0..1 -> the same array, each frame aligned with frame 0 in place; may exceed 1.

    steady_head: the frame is moved back (Lanczos, border repeated). even_light: it is divided by the change of light.
    Frames too small to be registered (either side under 32 px) stay as they are.
    """
    shape = rgb.shape[1:3]
    levels = [shrink_frame(frame) for frame in rgb]
    if not levels[0] or not (steady_head or even_light):
        return rgb
    surface = estimate_surface([pictures[0] for pictures in levels])
    terms = rigid_terms(surface)
    references = [ReferencePicture(grey, np.tensordot(terms.T, free_fields(grey.shape), 1)) for grey in levels[0]]
    moving, light = np.tensordot(terms.T, free_fields(shape), 1) * max(shape), light_fields(shape)
    found = np.zeros(RIGID_TERMS + LIGHT_TERMS)  # each search starts at the frame before: little changes between frames
    for frame, pictures in zip(rgb[1:], levels[1:], strict=True):
        for reference, grey in zip(references, pictures, strict=True):
            found = reference.fit_picture(grey, found).coefficients
        if steady_head:
            frame[:] = read_displaced(frame, np.tensordot(found[:RIGID_TERMS], moving, 1))
        if even_light:
            frame /= (1 + np.tensordot(found[RIGID_TERMS:], light, 1)).astype(frame.dtype)[..., None]
    return rgb


def estimate_surface(pictures: list[NDArray[Any]]) -> Doubles:
    """The depth surface [5] of the head in grey pictures of one size [H, W], as in `head_model.rigid_terms`."""
    reference = ReferencePicture(pictures[0], free_fields(pictures[0].shape))
    start, fits = np.zeros(FREE_TERMS + LIGHT_TERMS), list[Fit]()
    for picture in pictures[1:]:
        fits.append(reference.fit_picture(picture, start))
        start = fits[-1].coefficients
    motions = np.array([fit.coefficients[:FREE_TERMS] for fit in fits])
    return fit_surface(motions, np.array([_marginal_precision(fit.precision) for fit in fits]))


def shrink_frame(frame: NDArray[Any]) -> list[NDArray[np.float32]]:
    """[H, W, 3] -> luma at each of `LEVELS`, float32, blurred."""
    luma = (frame @ LUMA.astype(frame.dtype)).astype(np.float32)
    sizes = [(round(luma.shape[1] / by), round(luma.shape[0] / by)) for by in LEVELS]
    small = [cv2.resize(luma, size, interpolation=cv2.INTER_AREA) for size in sizes if min(size) >= SMALLEST_SIDE]
    return [cv2.GaussianBlur(level, (0, 0), SIGMA, borderType=cv2.BORDER_REPLICATE) for level in small]


def _marginal_precision(precision: Doubles) -> Doubles:
    """The inverse covariance of the motion alone, whatever the light: [15, 15] -> [12, 12]."""
    motion, light = slice(None, FREE_TERMS), slice(FREE_TERMS, None)
    across = precision[motion, light]
    return np.asarray(precision[motion, motion] - across @ np.linalg.lstsq(precision[light, light], across.T)[0])
