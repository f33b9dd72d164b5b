"""`merstream.json` beside a dataset: its pipeline settings and training options."""

from typing import Literal

from pydantic import Field, JsonValue

from services.ingest.catalogue.entry import CorrectionSwitch, LabelKind, PreferredFrames, ReadingOptions
from services.ingest.inbox.names import PLAN
from services.ingest.inbox.plan_text import decode_plan
from shared.errors import BadData, Misconfigured
from shared.records import FrozenModel, Pipeline
from shared.stage_settings.registry import PROFILES_BY_STAGE
from shared.training.options import resolve_options
from shared.worker.stage_handler import change_profile


class DatasetPlan(FrozenModel):
    """The content of `merstream.json`. Every field has a default."""

    profile: Literal["corrected", "paper"] = "corrected"
    overrides: dict[str, dict[str, JsonValue]] = Field(default_factory=dict, description="by stage and field")
    train: dict[str, JsonValue] = Field(
        default_factory=dict, description="training options that differ from the defaults"
    )
    prefer: PreferredFrames = "cropped"
    corrections: CorrectionSwitch = "documented"
    labels: LabelKind = "emotion"
    fps: float | None = Field(None, gt=0, le=1e5, description="frames per second, if the catalogue's value is wrong")

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(profile=self.profile, overrides=self.overrides)

    @property
    def reading(self) -> ReadingOptions:
        return ReadingOptions(self.prefer, self.corrections, self.labels, self.fps)


def parse_plan(data: bytes) -> DatasetPlan:
    """The plan in the bytes of `merstream.json`. Raises BadData that names the first wrong field or line."""
    plan = decode_plan(data, DatasetPlan, PLAN)
    if unknown := sorted(plan.overrides.keys() - PROFILES_BY_STAGE.keys()):
        raise BadData(
            f"{PLAN}: overrides: there is no stage {unknown[0]!r}; expected one of {', '.join(PROFILES_BY_STAGE)}."
        )
    try:
        for stage, profiles in PROFILES_BY_STAGE.items():
            change_profile(stage, profiles, plan.pipeline)
    except BadData as fault:
        raise BadData(f"{PLAN}: {fault}") from None
    try:
        resolve_options(plan.profile, plan.train, "cpu")  # the device only chooses a model where none is named
    except Misconfigured as fault:
        raise BadData(f"{PLAN}: train: {fault} Correct it.") from None
    return plan
