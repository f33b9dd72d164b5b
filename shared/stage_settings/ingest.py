"""Settings of the ingest stage. Each of them shapes the frames and enters the recipe."""

from typing import Literal

from pydantic import Field

from shared.faces import DetectorName
from shared.stage import StageSettings


class IngestSettings(StageSettings):
    height: int = Field(
        280, ge=32, le=2048, description="rows of a clip's frames, px. CASME II faces are about 280x340"
    )
    width: int = Field(224, ge=32, le=2048, description="columns of a clip's frames, px")
    margin: float = Field(
        0.2,
        ge=0,
        le=2,
        description="margin left and right of dlib's face box, share of its width. Measured: brows, chin (to 1.15 box "
        "heights) and 0.15 box widths of head motion stay inside, and the detector finds the face again",
    )
    detector: DetectorName = Field(
        "hog",
        description="what finds faces. hog: dlib's frontal detector; mmod: dlib's CNN, 70 times slower on a CPU (1.7 s "
        "a search of 640x480); mediapipe: BlazeFace, 8 times faster, also in the dark. For small faces it searches "
        "parts of the frame, halved `upsample` times",
    )
    upsample: int = Field(
        1, ge=0, le=3, description="doublings of the frame before the search for a face. 1 finds faces of 40 px"
    )
    box_passes: int = Field(
        6,
        ge=0,
        le=20,
        description="further searches around the face, spread over one step of dlib's pyramid. Their boxes are "
        "averaged, so that a face has the same scale in all clips. 0 uses dlib's first box",
    )
    face_search: int = Field(
        10, ge=0, le=1000, description="frames after the onset that are searched if the onset shows no face"
    )
    absent_apex: Literal["spot", "refuse"] = Field(
        "spot",
        description="clip without a coded apex: spot the apex, or refuse the clip as the paper's code does (KeyError)",
    )
    apex_at_onset: Literal["spot", "keep"] = Field(
        "spot", description="apex coded on the onset frame (CASME II 05/EP09_05f): spot it instead, or keep it"
    )
    spot_blur: float = Field(
        1.0, ge=0, le=100, description="Gaussian sigma before the flow from which the apex is spotted, px"
    )
    spot_window: float = Field(
        0.02, ge=0, le=10, description="Gaussian sigma over time of the curve whose peak is the spotted apex, s"
    )


INGEST_PROFILES = {
    "corrected": IngestSettings(),
    "paper": IngestSettings(absent_apex="refuse", apex_at_onset="keep"),
}
