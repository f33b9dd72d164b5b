"""The AU clip: 16 frames from onset to offset at the size that the pseudo-3D network takes (Wang et al. 2024)."""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData
from shared.registration.alignment import align_frames

FRAME_COUNT = 16  # frames
CLIP_SIDE = 144  # px


def prepare_au_clip(frames: NDArray[np.uint8], *, aligned: bool) -> NDArray[np.uint8]:
    """[16, H, W, 3] uint8 RGB -> [16, 144, 144, 3] uint8 RGB, bilinear; as in the paper's code, the aspect changes.

    aligned: head motion and changes of light against the first frame are removed before. The trainer makes the paper's
    float tensor (BGR, 0..255) from it and scales the values. Raises BadData for another count, shape or type.
    """
    if frames.ndim != 4 or frames.shape[0] != FRAME_COUNT or frames.shape[3] != 3 or 0 in frames.shape:
        shape = "x".join(map(str, frames.shape))
        raise BadData(
            f"expected {FRAME_COUNT} RGB frames of shape {FRAME_COUNT}xHxWx3, got {shape}; interpolate the clip "
            f"to {FRAME_COUNT}"
        )
    if frames.dtype != np.uint8:
        raise BadData(f"expected frames of uint8 0..255, got {frames.dtype}; scale the values to 0..255 first")
    if aligned:
        still = align_frames(frames.astype(np.float32) / 255)
        frames = np.clip(np.rint(still * 255), 0, 255).astype(np.uint8)
    resized = [cv2.resize(frame, (CLIP_SIDE, CLIP_SIDE), interpolation=cv2.INTER_LINEAR) for frame in frames]
    return np.array(resized, dtype=np.uint8)
