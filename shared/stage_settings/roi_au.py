"""Settings of the stage roi-au. Each difference between the profiles is one field."""

from typing import Literal

from pydantic import Field

from shared.stage import StageSettings


class RoiAuSettings(StageSettings):
    """How landmarks are found, at which scale patches are cut, and how."""

    landmarks: Literal["dlib", "mediapipe"] = Field(
        "dlib",
        description="Model that finds the face and its 68 points. dlib: HOG and regression trees, in whole px; its "
        "weights exclude commercial use. mediapipe: BlazeFace and Face Mesh (Apache-2.0), in parts of a px.",
    )
    face: Literal["largest", "last"] = Field(
        "largest",
        description="Which detection is the face. largest: the largest confident one; a search without a result is "
        "repeated with a border and on an enlarged image. last: the last one of a single search, as in the paper's "
        "code (it can be a badge).",
    )
    landmark_image: Literal["frame", "grey128"] = Field(
        "frame",
        description="Image for the detector and the landmarks. frame: the RGB frame; grey128: as in the paper's code, "
        "the frame stretched to 256x256, made grey and halved to 128x128.",
    )
    upsample: int = Field(
        1,
        ge=0,
        le=3,
        description="Doublings of the image before the search for faces: 0 finds faces from 80 px, 1 from 40 px.",
    )
    grid: Literal["face", "image"] = Field(
        "face",
        description="Scale at which a 7x7 patch is cut: `face` resamples the flow until the eyes are `eye_distance` "
        "px apart, so that a patch covers the same skin in every dataset; `image` stretches it to 128x128 (the paper).",
    )
    eye_distance: float = Field(
        55.0,
        gt=0,
        le=400,
        description="Distance between the eye centres on the grid `face`, grid px; a tight face crop has 55 px at the "
        "paper's 128x128, so that a patch spans an eighth of it.",
    )
    flow_units: Literal["grid", "frame"] = Field(
        "grid",
        description="Unit of u and v in the patches. grid: px of the grid, so that motion is relative to the face's "
        "size; frame: px of the frame, as the flow stage gives them (the paper).",
    )
    patch_axes: Literal["row-is-y", "row-is-x"] = Field(
        "row-is-y",
        description="Place of a patch. row-is-y: rows around y, columns around x; row-is-x: as in the paper's code, "
        "rows around x and columns around y, so that every patch is cut at the transposed place.",
    )
    border: Literal["replicate", "refuse"] = Field(
        "replicate",
        description="For a patch that reaches over the border. replicate: repeat the outermost values; refuse: refuse "
        "the sample, where the paper's code fails.",
    )
    flow_maps: bool = Field(
        False,
        description="Also store a map of (u, v) of each flow, for learners that read all flows of the whole face; 0.3 "
        "MB per clip of ten factors.",
    )
    au_clip: Literal["aligned", "as-recorded"] = Field(
        "aligned",
        description="aligned: head motion and changes of light are removed from the clip for action units, as the "
        "magnifier removes them; as-recorded: as in the paper's code.",
    )


ROI_AU_PROFILES = {
    "corrected": RoiAuSettings(),
    "paper": RoiAuSettings(
        face="last",
        landmark_image="grey128",
        grid="image",
        flow_units="frame",
        patch_axes="row-is-x",
        border="refuse",
        au_clip="as-recorded",
    ),
}
