"""Adapter: interpolated frames and their frame rate in, uint8 frames per factor out."""

from collections.abc import Mapping

import cv2
import numpy as np

from services.magnifier.evm import choose_ops, magnify_each
from services.magnifier.ops import Bytes
from services.magnifier.settings import PROFILES, MagnifierSettings
from shared.device import choose_device
from shared.errors import BadData
from shared.stage import Arrays, Stage


def compute(inputs: Mapping[str, Arrays], settings: MagnifierSettings) -> Arrays:
    """`frames` uint8 [T, H, W, 3] and `fps` (Hz) -> `frames` uint8 [F, T-1, H, W, 3] and `factors` float64 [F].

    The input is the interpolator's artifact. With the setting `append_raw_last` there are T frames per factor. Raises
    BadData for frames that are not uint8 and for what `magnify` refuses.
    """
    frames, fps = inputs["interpolator"]["frames"], float(inputs["interpolator"]["fps"])
    if frames.dtype != np.uint8:
        raise BadData(
            f"The magnifier needs uint8 frames from the interpolator, got {frames.dtype}: run the interpolator again."
        )
    ops = choose_ops(choose_device() if settings.library == "torch" else None)
    clips = magnify_each(frames, settings.factors, settings, fps, settings.precision, ops)
    return {
        "frames": np.stack([_finish_clip(ops.quantise_frames(clip), frames[-1:], settings) for clip in clips]),
        "factors": np.array(settings.factors, np.float64),
    }


def _finish_clip(clip: Bytes, last: Bytes, settings: MagnifierSettings) -> Bytes:
    """The clip as the flow sees it: with the raw last frame and the loss of JPEG if the settings ask for them."""
    if settings.append_raw_last:
        clip = np.concatenate([clip, last])
    if settings.jpeg_quality is not None:
        clip = np.stack([_recompress_jpeg(frame, settings.jpeg_quality) for frame in clip])
    return clip


def _recompress_jpeg(frame: Bytes, quality: int) -> Bytes:
    _, encoded = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]


STAGE = Stage(
    name="magnifier",
    version=3,  # 2: the setting `light`; 3: the setting `head`
    consumes="interpolated",
    reads=("interpolator",),
    produces="magnified",
    profiles=PROFILES,
    compute=compute,
)
