"""Adapter of the interpolator: ingest's clip -> frames for the flow and frames for the action units."""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from services.interpolator.bisection import Image, frames_at, quantise_levels
from services.interpolator.clip import check_clip, check_times
from services.interpolator.rife import Rife
from services.interpolator.timeline import clip_positions, shown_frame_rate
from services.interpolator.window import FrameMean, plan_means
from shared import weights
from shared.device import choose_device
from shared.stage import Arrays, Stage, settings_for_profile
from shared.stage_arrays import CLIP_ARRAYS
from shared.stage_settings.interpolator import INTERPOLATOR_PROFILES, InterpolatorSettings

Profile = str | InterpolatorSettings
DEFAULT_DEVICE = "cpu"  # without MER_DEVICE, since the frames of a GPU differ in the last bit


def interpolate_clip(
    frames: Image,
    onset: int,
    apex: int,
    offset: int,
    count: int = 10,
    profile: Profile = "corrected",
    net: Rife | None = None,
) -> Image:
    """Clip uint8 [T,H,W,3] RGB and three indices into it -> `count` frames uint8 [count,H,W,3] from onset to offset.

    `net` is the network that makes midpoints; None: RIFE on the device of MER_DEVICE. Raises BadData for a clip that
    cannot be interpolated, and ValueError for a count below 2 or an unknown profile.
    """
    settings = settings_for_profile(profile, INTERPOLATOR_PROFILES)
    check_clip(frames, onset, apex, offset)
    positions = clip_positions(settings.timeline, onset, apex, offset, count, None)
    means = plan_means(positions, apex, settings.window, np.arange(len(frames), dtype=np.float64))
    return show_frames(frames, positions, means, net or load_configured_network(settings), settings)


def show_frames(
    frames: Image,
    positions: Sequence[float],
    means: Sequence[FrameMean | None],
    net: Rife,
    settings: InterpolatorSettings,
) -> Image:
    """Clip uint8 [T,H,W,3] -> frames uint8 [N,H,W,3]: at each position the mean, or without one an interpolated frame.

    The mean is rounded to bytes as every other frame, which adds a variance of 1/12 (grey levels^2).
    """
    alone = [position for position, mean in zip(positions, means, strict=True) if mean is None]
    interpolated = iter(frames_at(frames, alone, net, settings) if alone else ())
    return np.stack(
        [
            next(interpolated) if mean is None else quantise_levels(mean.average_frames(frames), settings.quantise)
            for mean in means
        ]
    )


def compute(inputs: Mapping[str, Arrays], settings: InterpolatorSettings, net: Rife | None = None) -> Arrays:
    """Ingest's clip -> `frames` uint8 [flow_frames,H,W,3], `au_frames` uint8 [au_frames,H,W,3] and their timing.

    In: `frames` uint8 [T,H,W,3], `onset`, `apex`, `offset` (frames of the clip) and `fps` (Hz). The timing has
    `positions` [flow_frames] and `apex` in frames of the clip, and the frame rate `fps` of `frames` in Hz. Both sets
    come from one search, so that a midpoint that both need is computed once. A clip that was not recorded evenly also
    has `times` [T], s. Then the rule spreads the frames in time, and the timing also has `times` [flow_frames] and
    `apex_time`, s. Raises BadData as `interpolate_clip`.
    """
    clip = inputs["ingest"]
    onset, apex, offset = (int(clip[mark]) for mark in ("onset", "apex", "offset"))
    check_clip(clip["frames"], onset, apex, offset)
    times = check_times(clip["times"], len(clip["frames"])) if "times" in clip else None
    counts = (settings.flow_frames, settings.au_frames)
    flow, au = (clip_positions(settings.timeline, onset, apex, offset, count, times) for count in counts)
    clock = np.arange(len(clip["frames"]), dtype=np.float64) if times is None else times
    means = [mean for at in (flow, au) for mean in plan_means(at, apex, settings.window, clock)]
    shown = show_frames(clip["frames"], [*flow, *au], means, net or load_configured_network(settings), settings)
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


# version 2: true times of uneven recordings; 3: timeline `apex-halves` and the setting `window`
STAGE = Stage(
    name="interpolator",
    version=3,
    consumes="clips",
    reads=("ingest",),
    produces="interpolated",
    profiles=INTERPOLATOR_PROFILES,
    compute=compute,
    arrays={"ingest": CLIP_ARRAYS},
)
