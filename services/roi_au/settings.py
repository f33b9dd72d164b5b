"""Settings of the stage roi-au. Each difference between the profiles is one field."""

from typing import Literal

from pydantic import Field

from shared.stage import StageSettings


class RoiAuSettings(StageSettings):
    """Where landmarks are looked for, at which scale patches are cut, and how."""

    face: Literal["largest", "last"] = Field(
        "largest",
        description="Which detection is the face: the largest confident one, searched again with a border and enlarged "
        "where nothing is found; or the last one of a single search, as the paper's code has it (it can be a badge).",
    )
    landmark_image: Literal["frame", "grey128"] = Field(
        "frame",
        description="Image that detector and landmarks see: the RGB frame; or, as in the paper's code, the frame "
        "stretched to 256x256, made grey and halved to 128x128.",
    )
    upsample: int = Field(
        1,
        ge=0,
        le=3,
        description="Doublings of the image before faces are searched: 0 finds them from 80 px, 1 from 40 px.",
    )
    grid: Literal["face", "image"] = Field(
        "face",
        description="Scale at which a 7x7 patch is cut: `face` resamples the flow until the eyes are `eye_distance` "
        "apart, so that a patch covers the same skin in every dataset; `image` stretches it to 128x128 (the paper).",
    )
    eye_distance: float = Field(
        55.0,
        gt=0,
        description="Distance between the eye centres on the grid `face`, grid px; 55 is what a tight face crop has at "
        "the paper's 128x128, so that a patch spans an eighth of it.",
    )
    flow_units: Literal["grid", "frame"] = Field(
        "grid",
        description="Unit of u and v in the patches: px of the grid, a motion relative to the face's size; or px of "
        "the frame, the values as the flow stage gave them (the paper).",
    )
    patch_axes: Literal["row-is-y", "row-is-x"] = Field(
        "row-is-y",
        description="A patch's place: rows around y and columns around x; or, as in the paper's code, rows around x "
        "and columns around y, which cuts every patch at the transposed place.",
    )
    border: Literal["replicate", "refuse"] = Field(
        "replicate",
        description="A patch that reaches over the border: repeat the outermost values; or refuse the sample, where "
        "the paper's code fails.",
    )


PROFILES = {
    "corrected": RoiAuSettings(),
    "paper": RoiAuSettings(
        face="last",
        landmark_image="grey128",
        grid="image",
        flow_units="frame",
        patch_axes="row-is-x",
        border="refuse",
    ),
}
