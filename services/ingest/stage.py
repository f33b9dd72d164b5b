"""The ingest stage: packed source files in, face-cropped clips out."""

from collections.abc import Mapping

from services.ingest import clip_cropping, source_reading
from shared.stage import Arrays, Stage
from shared.stage_settings.ingest import INGEST_PROFILES, IngestSettings


def compute(inputs: Mapping[str, Arrays], settings: IngestSettings) -> Arrays:
    """The clip [T,H,W,3] of the arrays of `pack_source`. Arrays and errors are those of `crop_clip`."""
    return clip_cropping.crop_clip(source_reading.read_source(inputs["source"]), settings)


STAGE = Stage(
    name="ingest",
    version=3,  # 3: the crop follows the person, videos by their time stamps, depth of the whole clip
    consumes="sources",
    reads=("source",),
    produces="clips",
    profiles=INGEST_PROFILES,
    compute=compute,
)
