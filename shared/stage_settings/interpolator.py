"""Settings of the interpolator and its two profiles. Each difference between the profiles is one field."""

from typing import Literal

from pydantic import Field

from shared.stage import StageSettings


class InterpolatorSettings(StageSettings):
    """Lengths are in frames of the result, positions in frames of the clip, motion in px."""

    timeline: Literal["apex-halves", "uniform", "apex"] = Field(
        "apex-halves",
        description="Positions of the frames. apex-halves: one frame at the apex, with even steps to it and after it; "
        "uniform: evenly from onset to offset; apex: the paper's rule, nearly all before the apex and one or two after "
        "it.",
    )
    flow_frames: int = Field(
        10,
        ge=2,
        le=200,
        description="Frames for magnification and flow: 10 give 9 flows if the magnifier keeps the first frame "
        "(corrected), and 8 real ones if it does not (paper).",
    )
    au_frames: int = Field(16, ge=2, le=200, description="Frames of the clip for action units (paper: 16).")
    window: float = Field(
        1.0,
        ge=0,
        le=2,
        description="A shown frame is the mean of the recorded frames within this many steps of the timeline, where "
        "these lie at most half of that apart. Price: at most 1.3 % of the motion at the apex; 0.02 CPU seconds per "
        "clip of 60 frames, fewer than the search that it replaces. 0: off (paper).",
    )
    blend_below: float = Field(
        0.75,
        ge=0,
        le=1000,
        description="Frames with at most this motion between them (px) are blended; above it RIFE first makes the "
        "frame between them. Measured: below about 0.75 px the blend is more exact. 0 never blends (paper).",
    )
    tolerance: float = Field(
        0.005,
        ge=0,
        lt=0.5,
        description="A position this near to a frame (in frames) shows that frame itself (paper).",
    )
    cycles: int = Field(8, ge=1, le=16, description="Most halvings of the interval between two frames (paper: 8).")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Precision of RIFE's convolutions; bfloat16 is for GPUs with matrix units and changes a midpoint "
        "by 0.01 grey levels on average, 0.7 at most (measured on a CPU).",
    )
    quantise: Literal["round", "truncate"] = Field(
        "round", description="Grey levels to bytes; truncating (paper) darkens interpolated frames by half a level."
    )


INTERPOLATOR_PROFILES = {
    "corrected": InterpolatorSettings(),
    "paper": InterpolatorSettings(timeline="apex", window=0, blend_below=0, quantise="truncate"),
}
