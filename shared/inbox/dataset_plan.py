"""`merstream.json` beside a dataset: its pipeline settings and training options."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, JsonValue

from shared.errors import BadData, Misconfigured
from shared.inbox.names import PLAN
from shared.inbox.plan_text import decode_plan
from shared.inbox.reading_options import CorrectionSwitch, LabelKind, PreferredFrames, ReadingOptions
from shared.records import FrozenModel, Pipeline
from shared.stage_settings.registry import PROFILES_BY_STAGE
from shared.training.options import resolve_options
from shared.worker.stage_handler import change_profile


class DatasetPlan(FrozenModel):
    """The content of `merstream.json`. Every field has a default."""

    profile: Literal["corrected", "paper"] = Field(
        "corrected", description="`corrected` repairs the defects of the published method, `paper` reproduces them"
    )
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


def compose_plan(
    profile: str | None,
    overrides: Mapping[str, Mapping[str, JsonValue]],
    train: Mapping[str, Any],
    prefer: PreferredFrames | None,
) -> DatasetPlan | None:
    """The plan that choices state, or None without any. An option of None is no choice.

    Raises Misconfigured for a setting that no training has.
    """
    requested = {name: value for name, value in train.items() if value is not None}
    resolve_options(profile or "corrected", requested, "cpu")  # checks the settings only: the stack has its own device
    given = {"profile": profile, "overrides": overrides, "train": requested, "prefer": prefer}
    fields = {name: value for name, value in given.items() if value}
    return DatasetPlan.model_validate(fields) if fields else None


def merge_plans(own: DatasetPlan, plan: DatasetPlan) -> bytes:
    """The file of a dataset's own plan with what another one states in its place."""
    merged = DatasetPlan.model_validate({**own.model_dump(), **plan.model_dump(exclude_unset=True)})
    return merged.model_dump_json(indent=1, exclude_defaults=True).encode()


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
