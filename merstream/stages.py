"""Every image stage, in the order in which a clip passes them."""

from typing import Any

from services.flow.stage import STAGE as FLOW
from services.ingest.stage import STAGE as INGEST
from services.interpolator.stage import STAGE as INTERPOLATOR
from services.magnifier.stage import STAGE as MAGNIFIER
from services.roi_au.stage import STAGE as ROI_AU
from shared.stage import Stage

STAGES: tuple[Stage[Any], ...] = (INGEST, INTERPOLATOR, MAGNIFIER, FLOW, ROI_AU)
