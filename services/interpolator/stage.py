"""The interpolator as a stage: ingest's clip -> frames for the flow and frames for the action units."""

from collections.abc import Mapping
from functools import cache

import numpy as np

from services.interpolator.bisection import Image, frames_at
from services.interpolator.clip import check_clip
from services.interpolator.rife import Rife
from services.interpolator.settings import PROFILES, InterpolatorSettings
from services.interpolator.timeline import frame_positions, shown_frame_rate
from shared import weights
from shared.device import choose_device
from shared.stage import Arrays, Stage, settings_for_profile

Profile = str | InterpolatorSettings
DEFAULT_DEVICE = "cpu"  # frames of a GPU differ in the last bit, so it is asked for


def interpolate(
    frames: Image, onset: int, apex: int, offset: int, count: int = 11, profile: Profile = "corrected"
) -> Image:
    """Clip uint8 [T,H,W,3] RGB and its indices into it -> `count` frames uint8 [count,H,W,3] from onset to offset.

    Raises BadData for a clip that cannot be interpolated, ValueError for a count below 2 or an unknown profile.
    """
    settings = settings_for_profile(profile, PROFILES)
    check_clip(frames, onset, apex, offset)
    positions = frame_positions(settings.timeline, onset, apex, offset, count)
    return frames_at(frames, positions, load_network(choose_device(DEFAULT_DEVICE), settings.precision), settings)


def compute(inputs: Mapping[str, Arrays], settings: InterpolatorSettings) -> Arrays:
    """Both sets of frames in one search, so that a midpoint that both need is computed once."""
    clip = inputs["ingest"]
    onset, apex, offset = (int(clip[mark]) for mark in ("onset", "apex", "offset"))
    check_clip(clip["frames"], onset, apex, offset)
    counts = (settings.flow_frames, settings.au_frames)
    flow, au = (frame_positions(settings.timeline, onset, apex, offset, count) for count in counts)
    shown = frames_at(
        clip["frames"], [*flow, *au], load_network(choose_device(DEFAULT_DEVICE), settings.precision), settings
    )
    fps = np.array(shown_frame_rate(flow, float(clip["fps"])))
    when = {"positions": np.array(flow), "apex": np.array(float(apex)), "fps": fps}  # frames of the clip; per second
    return {"frames": shown[: len(flow)], "au_frames": shown[len(flow) :], **when}


@cache
def load_network(device_name: str, precision: str = "float32") -> Rife:
    """The network of this process on this device, its weights verified and loaded when it is first needed."""
    return Rife(weights.weights_path(weights.RIFE), device_name, precision)


STAGE = Stage("interpolator", 2, "clips", ("ingest",), "interpolated", PROFILES, compute)
