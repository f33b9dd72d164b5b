"""Adapter of the interpolator: ingest's clip -> frames for the flow and frames for the action units."""

from collections.abc import Mapping
from functools import cache

import numpy as np

from services.interpolator.bisection import Image, frames_at
from services.interpolator.clip import check_clip, check_times
from services.interpolator.rife import Rife
from services.interpolator.settings import PROFILES, InterpolatorSettings
from services.interpolator.timeline import clip_positions, frame_positions, shown_frame_rate
from shared import weights
from shared.device import choose_device
from shared.stage import Arrays, Stage, settings_for_profile

Profile = str | InterpolatorSettings
DEFAULT_DEVICE = "cpu"  # without MER_DEVICE, since the frames of a GPU differ in the last bit


def interpolate(
    frames: Image,
    onset: int,
    apex: int,
    offset: int,
    count: int = 11,
    profile: Profile = "corrected",
    net: Rife | None = None,
) -> Image:
    """Clip uint8 [T,H,W,3] RGB and three indices into it -> `count` frames uint8 [count,H,W,3] from onset to offset.

    `net` is the network that makes midpoints; None: RIFE on the device of MER_DEVICE. Raises BadData for a clip that
    cannot be interpolated, and ValueError for a count below 2 or an unknown profile.
    """
    settings = settings_for_profile(profile, PROFILES)
    check_clip(frames, onset, apex, offset)
    positions = frame_positions(settings.timeline, onset, apex, offset, count)
    return frames_at(frames, positions, net or load_configured_network(settings), settings)


def compute(inputs: Mapping[str, Arrays], settings: InterpolatorSettings, net: Rife | None = None) -> Arrays:
    """Ingest's clip -> `frames` uint8 [flow_frames,H,W,3], `au_frames` uint8 [au_frames,H,W,3] and their timing.

    In: `frames` uint8 [T,H,W,3], `onset`, `apex`, `offset` (frames of the clip) and `fps` (Hz). The timing has
    `positions` [flow_frames] and `apex` in frames of the clip, and the frame rate `fps` of `frames` in Hz. Both sets
    come from one search, so that a midpoint that both need is computed once. A clip that was not recorded evenly also
    has `times` [T], s. Then the rule spreads the frames in time, and the timing also has `times` [flow_frames] and
    `apex_time`, s. Raises BadData as `interpolate`.
    """
    clip = inputs["ingest"]
    onset, apex, offset = (int(clip[mark]) for mark in ("onset", "apex", "offset"))
    check_clip(clip["frames"], onset, apex, offset)
    times = check_times(clip["times"], len(clip["frames"])) if "times" in clip else None
    counts = (settings.flow_frames, settings.au_frames)
    flow, au = (clip_positions(settings.timeline, onset, apex, offset, count, times) for count in counts)
    shown = frames_at(clip["frames"], [*flow, *au], net or load_configured_network(settings), settings)
    timing = {"positions": np.array(flow), "apex": np.array(float(apex))}
    if times is None:
        timing["fps"] = np.array(shown_frame_rate(flow, float(clip["fps"])))
    else:
        timing["times"] = np.interp(flow, np.arange(len(times)), times)
        timing |= {"apex_time": times[apex], "fps": np.array(shown_frame_rate(timing["times"].tolist(), 1.0))}
    return {"frames": shown[: len(flow)], "au_frames": shown[len(flow) :], **timing}


def load_configured_network(settings: InterpolatorSettings) -> Rife:
    """RIFE on the device of MER_DEVICE, in the precision of the settings."""
    return load_network(choose_device(DEFAULT_DEVICE), settings.precision)


@cache
def load_network(device_name: str, precision: str = "float32") -> Rife:
    """RIFE on this device, loaded once per process; verifies the weights and raises MissingWeights without them."""
    return Rife(weights.weights_path(weights.RIFE), device_name, precision)


STAGE = Stage("interpolator", 2, "clips", ("ingest",), "interpolated", PROFILES, compute)
