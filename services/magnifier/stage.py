"""Adapter: interpolated frames and their frame rate in, uint8 frames per factor out."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from services.magnifier import evm
from services.magnifier.settings import PROFILES, MagnifierSettings
from shared.device import choose_device
from shared.errors import BadData
from shared.stage import Arrays, Stage

Bytes = NDArray[np.uint8]


def compute(inputs: Mapping[str, Arrays], settings: MagnifierSettings) -> Arrays:
    """`frames` TxHxWx3 and `fps` of the interpolator -> `frames` Fx(T-1)xHxWx3, T with `append_raw_last`; `factors`."""
    frames, fps = inputs["interpolator"]["frames"], float(inputs["interpolator"]["fps"])
    if frames.dtype != np.uint8:
        raise BadData(
            f"The magnifier needs uint8 frames of the interpolator, got {frames.dtype}: run that stage again."
        )
    where = choose_device() if settings.library == "torch" else None
    clips = evm.magnify_each(frames, settings.factors, settings, fps, settings.precision, where)
    return {
        "frames": np.stack([_finish_clip(evm.quantise_frames(clip), frames[-1:], settings) for clip in clips]),
        "factors": np.array(settings.factors, np.float64),
    }


def _finish_clip(clip: Bytes, last: Bytes, settings: MagnifierSettings) -> Bytes:
    """The clip as the flow sees it: with the raw last frame and the loss of JPEG where the settings ask for them."""
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
