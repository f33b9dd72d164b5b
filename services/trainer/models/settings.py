"""What separates the paper's network from the corrected one: one named setting per difference."""

from typing import Literal, Self

from pydantic import Field, model_validator

from shared.stage import StageSettings


class ModelSettings(StageSettings):
    """Architecture switches. Defaults repair the paper's code; `PROFILES["paper"]` has it was published."""

    clip_channels: Literal["rgb", "bgr"] = Field(
        default="rgb", description="Channel order that the AU branch sees; the clip itself always arrives as RGB."
    )
    clip_scaling: Literal["symmetric", "none"] = Field(
        default="symmetric", description="symmetric: pixel/127.5 - 1; none: raw 0..255 as in the paper's code."
    )
    patch_scaling: Literal["training-rms", "none"] = Field(
        default="training-rms",
        description="Flow is divided by the RMS (px) of the training fold's patches, or left in px.",
    )
    step_norm: Literal["pooled", "each"] = Field(
        default="pooled",
        description="BatchNorm of the per-pair convolution: pooled over the nine pairs, one update per forward; or "
        "called pair after pair (nine updates, running mean drawn to the late pairs). Equal in eval mode.",
    )
    p3d_init: Literal["fan-out", "two-sizes"] = Field(
        default="fan-out",
        description="Convolutions of P3D start from N(0, 2/fan_out); two-sizes forgets the third kernel size "
        "(1.7 to 2.6 times too wide) and leaves the two-dimensional ones at torch's default.",
    )
    au_input: Literal["probability", "logit"] = Field(
        default="probability",
        description="What the AU graph starts from: sigmoid(AU logit), or the unbounded logit itself.",
    )
    emotion_to_au: Literal["detached", "full"] = Field(
        default="detached",
        description="Whether the emotion loss also trains the AU branch; undetached it outweighs the AU loss 27 : 1.",
    )
    adjacency: Literal["normalised", "raw"] = Field(
        default="normalised",
        description="normalised: (I + row softmax)/2, rows sum to 1 (Kipf & Welling 2017 with directed edges); raw: "
        "the LayerNorm output, whose rows sum to 0 and erase what all AUs have in common.",
    )
    unused_embedding: bool = Field(
        default=False,
        description="Carry the 15 x 40 embedding that the paper's code counts as parameters and never uses.",
    )
    direct_path: bool = Field(
        default=True,
        description="A linear path from [eyebrow, mouth], in fmer-lite from the whole face too, to the emotion logits "
        "around the nine dot products.",
    )
    graph: bool = Field(
        default=True,
        description="Off, for ablations: each AU is its own only neighbour, and in fmer no ROI sees another.",
    )
    au_branch: bool = Field(
        default=True,
        description="Off, for ablations: no AU is predicted, and the emotion follows from the direct path alone.",
    )
    whole_face: bool = Field(
        default=True, description="Off, for ablations: fmer-lite sees the 30 ROIs alone. Of no meaning to fmer."
    )

    @model_validator(mode="after")
    def _require_emotion_path(self) -> Self:
        if not (self.au_branch or self.direct_path):
            raise ValueError("neither au_branch nor direct_path: nothing would lead to the emotion; leave one on")
        return self


MODEL_PROFILES = {
    "corrected": ModelSettings(),
    "paper": ModelSettings(
        clip_channels="bgr",
        clip_scaling="none",
        patch_scaling="none",
        step_norm="each",
        p3d_init="two-sizes",
        au_input="logit",
        emotion_to_au="full",
        adjacency="raw",
        unused_embedding=True,
        direct_path=False,
    ),
}
