"""Adapter: interpolated frames and their frame rate in, uint8 frames per factor out."""

from collections.abc import Iterator, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.magnifier.arrays import Bytes, Floats
from services.magnifier.evm import magnify_each, quantise_frames
from shared.device import choose_device
from shared.stage import Arrays, Stage
from shared.stage_arrays import SHOWN_ARRAYS
from shared.stage_settings.magnifier import MAGNIFIER_PROFILES, MagnifierSettings

DEFAULT_DEVICE = "cpu"  # without MER_DEVICE, since the frames of a GPU differ in the last bit


def compute(inputs: Mapping[str, Arrays], settings: MagnifierSettings) -> Arrays:
    """Interpolated frames and their timing -> `frames` uint8 [F, N, H, W, 3] and `factors` float64 [F].

    In, from the interpolator's artifact: `frames` uint8 [T, H, W, 3], `fps` (Hz), `positions` [T] in frames of the
    clip, or `times` [T] in s of an uneven recording. Out: N is T, or T-1 with the setting `first_frame` "dropped", and
    one more with `append_raw_last`. The setting `shape_maps` adds `shape_maps` float32 [F, N, 128, 128], without that
    one. With the onset shown, `frame_numbers` int64 [N] names the input frame that each output shows. Raises BadData
    for what `magnify_motion` refuses.
    """
    shown = inputs["interpolator"]
    frames, fps = shown["frames"], float(shown["fps"])
    times = _shown_times(shown, fps)
    clips = magnify_by_method(frames, settings, fps, times)
    made: dict[str, NDArray[Any]] = {
        "frames": np.stack([_finish_clip(quantise_frames(clip), frames[-1:], settings) for clip in clips]),
        "factors": np.array(settings.factors, np.float64),
    }
    if settings.shape_maps:
        made["shape_maps"] = _map_shapes(frames, settings)
    if settings.first_frame == "shown":
        made["frame_numbers"] = np.minimum(np.arange(made["frames"].shape[1]), len(frames) - 1)
    return made


def magnify_by_method(
    frames: Bytes, settings: MagnifierSettings, fps: float, times: NDArray[np.float64] | None
) -> Iterator[Floats]:
    """[T, H, W, 3] -> [N, H, W, 3] in 0..1 per factor, each valid until the next; `fps` in Hz, `times` [T] in s.

    Raises BadData as `magnify_motion`. The method "magnet" raises Misconfigured without torch.
    """
    if settings.method == "evm":
        return magnify_each(frames, settings.factors, settings, fps, settings.precision, times)
    device = choose_device(DEFAULT_DEVICE)
    from services.magnifier.magnet.frames import magnify_each_by_network  # the plain image has no torch

    return magnify_each_by_network(frames, settings.factors, settings, device)


def _map_shapes(frames: Bytes, settings: MagnifierSettings) -> Floats:
    from services.magnifier.magnet.shape_maps import map_clip_shapes  # the plain image has no torch

    return map_clip_shapes(frames, settings.factors, settings, choose_device(DEFAULT_DEVICE))


def _shown_times(shown: Arrays, fps: float) -> NDArray[np.float64] | None:
    """The times [T] of the interpolator's frames, s; None where the artifact only has a frame rate."""
    if "times" in shown:
        return np.asarray(shown["times"], np.float64)
    if "positions" not in shown or not (np.isfinite(fps) and fps > 0):
        return None
    positions = np.asarray(shown["positions"], np.float64)
    steps = positions - positions[0]
    return np.asarray(steps / steps[-1] * (len(steps) - 1) / fps)  # `fps` is the mean rate of these frames


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
    version=4,  # 4: the onset is shown, the filter is a spline, the head is steadied in three dimensions
    consumes="interpolated",
    reads=("interpolator",),
    produces="magnified",
    profiles=MAGNIFIER_PROFILES,
    compute=compute,
    arrays={"interpolator": SHOWN_ARRAYS},
)
