"""The profiles of every image stage."""

from collections.abc import Mapping

from shared.stage import StageSettings
from shared.stage_settings.flow import FLOW_PROFILES
from shared.stage_settings.ingest import INGEST_PROFILES
from shared.stage_settings.interpolator import INTERPOLATOR_PROFILES
from shared.stage_settings.magnifier import MAGNIFIER_PROFILES
from shared.stage_settings.roi_au import ROI_AU_PROFILES

PROFILES_BY_STAGE: Mapping[str, Mapping[str, StageSettings]] = {
    "ingest": INGEST_PROFILES,
    "interpolator": INTERPOLATOR_PROFILES,
    "magnifier": MAGNIFIER_PROFILES,
    "flow": FLOW_PROFILES,
    "roi-au": ROI_AU_PROFILES,
}
