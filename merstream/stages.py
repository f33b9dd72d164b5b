"""Every image stage, in the order in which a clip passes them, and a pipeline of their settings."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from services.flow.stage import STAGE as FLOW
from services.ingest.stage import STAGE as INGEST
from services.interpolator.stage import STAGE as INTERPOLATOR
from services.magnifier.stage import STAGE as MAGNIFIER
from services.roi_au.stage import STAGE as ROI_AU
from shared.errors import BadData, Misconfigured
from shared.records import Pipeline
from shared.stage import Stage
from shared.worker.stage_handler import pipeline_settings

STAGES: tuple[Stage[Any], ...] = (INGEST, INTERPOLATOR, MAGNIFIER, FLOW, ROI_AU)


def build_pipeline(profile: str, overrides: Mapping[str, Mapping[str, Any]]) -> Pipeline:
    """The pipeline of a profile and of what differs from it, by stage and field. A tuple or array becomes a list.

    Raises Misconfigured for an unknown profile, stage or field, and for a value that the stage refuses.
    """
    stages = {stage.name: stage for stage in STAGES}
    try:
        plain = json.loads(json.dumps(overrides, default=lambda value: np.asarray(value).tolist()))
        pipeline = Pipeline.model_validate({"profile": profile, "overrides": plain})
    except (TypeError, ValueError) as error:
        raise Misconfigured(
            f"Expected settings {{stage: {{field: value}}}} of plain values, got {overrides!r}: {error}"
        ) from None
    for name, changes in pipeline.overrides.items():
        if name not in stages:
            raise Misconfigured(f"No stage {name!r}: expected one of {', '.join(stages)}.")
        fields = type(next(iter(stages[name].profiles.values()))).model_fields
        if unknown := [field for field in changes if field not in fields]:
            raise Misconfigured(f"{name} has no setting {unknown[0]!r}: expected one of {', '.join(fields)}.")
    try:
        for stage in STAGES:
            pipeline_settings(stage, pipeline)
    except BadData as error:
        raise Misconfigured(str(error)) from None
    return pipeline
