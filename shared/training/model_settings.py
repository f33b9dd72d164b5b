"""Differences between the paper's network and the corrected one: one named setting each."""

from typing import Literal, Self

from pydantic import Field, model_validator

from shared.stage import StageSettings


class ModelSettings(StageSettings):
    """Switches of the architecture. Defaults repair the paper's code. `MODEL_PROFILES["paper"]` is as published."""

    clip_channels: Literal["rgb", "bgr"] = Field(
        default="rgb", description="Channel order that the AU branch sees. The input clip is always RGB."
    )
    clip_scaling: Literal["symmetric", "none"] = Field(
        default="symmetric", description="symmetric: pixel/127.5 - 1. none: raw 0..255 as in the paper's code."
    )
    patch_scaling: Literal["training-rms", "none"] = Field(
        default="training-rms",
        description="training-rms: flow is divided by its RMS (px) in the training part. none: flow stays in px.",
    )
    map_scaling: Literal["per-clip", "training-rms", "none"] = Field(
        default="training-rms",
        description="Input of the networks that read maps. per-clip: u and v less their median, the root of the "
        "strain less its mean, each divided by its standard deviation over the map, outliers drawn in. training-rms: "
        "u and v are divided by one RMS of the training part, strain by another. none: px.",
    )
    map_head: Literal["robust", "least-squares", "none"] = Field(
        default="robust",
        description="The head's motion that is taken out of maps, for every learner that reads them. robust: shift, "
        "rotation and scale, fitted to the cells of the face that move alike. least-squares: fitted to all cells of "
        "the map. none: maps stay.",
    )
    roi_head: Literal["least-squares", "none"] = Field(
        default="none",
        description="The head's motion that fmer-lite takes out of each flow at the ROIs. least-squares: shift, "
        "rotation and scale nearest to the 30 ROIs; it takes much of an expression too. none: the magnifier has "
        "steadied the head.",
    )
    step_norm: Literal["pooled", "each"] = Field(
        default="pooled",
        description="BatchNorm of the convolution per flow field. pooled: over all nine fields, one update per "
        "forward. each: field after field, nine updates, so the running mean leans to the late fields. Equal in eval "
        "mode.",
    )
    p3d_init: Literal["fan-out", "two-sizes"] = Field(
        default="fan-out",
        description="Start weights of P3D's convolutions. fan-out: N(0, 2/fan_out). two-sizes: ignores the third "
        "kernel size (1.7 to 2.6 times too wide) and keeps torch's default for 2-D convolutions.",
    )
    au_input: Literal["probability", "logit"] = Field(
        default="probability",
        description="Input of the AU graph. probability: sigmoid(AU logit). logit: the unbounded logit.",
    )
    emotion_to_au: Literal["detached", "full"] = Field(
        default="detached",
        description="full: the emotion loss also trains the AU branch, where it outweighs the AU loss 27 to 1. "
        "detached: it does not.",
    )
    adjacency: Literal["normalised", "raw"] = Field(
        default="normalised",
        description="normalised: (I + row softmax)/2, rows sum to 1 (Kipf & Welling 2017 with directed edges). raw: "
        "the LayerNorm output, whose rows sum to 0 and remove the mean over AUs.",
    )
    unused_embedding: bool = Field(
        default=False,
        description="Include the 15 x 40 embedding that the paper's code counts as parameters and never uses.",
    )
    direct_path: bool = Field(
        default=True,
        description="A linear path from [eyebrow, mouth] to the emotion logits, beside the nine dot products. "
        "fmer-lite also has one from the whole face.",
    )
    graph: bool = Field(
        default=True,
        description="Off for ablations: each AU is its own only neighbour, and in fmer no ROI sees another.",
    )
    au_branch: bool = Field(
        default=True,
        description="Off for ablations: no AU is predicted, and only the direct path leads to the emotion.",
    )
    whole_face: bool = Field(
        default=True, description="Off for ablations: fmer-lite sees only the 30 ROIs. fmer ignores it."
    )

    @model_validator(mode="after")
    def _require_emotion_path(self) -> Self:
        if not (self.au_branch or self.direct_path):
            raise ValueError(
                "au_branch and direct_path are both off, so nothing would lead to the emotion. Leave one on"
            )
        return self


MODEL_PROFILES = {
    "corrected": ModelSettings(),
    "paper": ModelSettings(
        clip_channels="bgr",
        clip_scaling="none",
        patch_scaling="none",
        map_scaling="none",
        map_head="least-squares",  # fmer reads no maps; fmer-lite has always fitted its head in this way here
        roi_head="least-squares",
        step_norm="each",
        p3d_init="two-sizes",
        au_input="logit",
        emotion_to_au="full",
        adjacency="raw",
        unused_embedding=True,
        direct_path=False,
    ),
}
