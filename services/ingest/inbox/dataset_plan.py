"""`merstream.json` beside a dataset: its pipeline settings and training options."""

import json
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, JsonValue, ValidationError

from services.ingest.catalogue.entry import CorrectionSwitch, LabelKind, PreferredFrames, ReadingOptions
from services.ingest.inbox.names import PLAN
from shared.errors import BadData, first_problem
from shared.records import FrozenModel, Pipeline
from shared.settings_text import decode_settings
from shared.stage_settings.registry import PROFILES_BY_STAGE
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
    text = decode_settings(data, PLAN)
    try:
        plan = DatasetPlan.model_validate_json(text)
    except ValidationError as error:
        field, _, message = first_problem(error)
        known = ", ".join(DatasetPlan.model_fields)
        raise BadData(f"{PLAN}: {field or 'the file'}: {message}; expected JSON with {known}; correct it.") from None
    json.loads(text, object_pairs_hook=_check_single_names, parse_constant=_refuse_constant)
    if unknown := sorted(plan.overrides.keys() - PROFILES_BY_STAGE.keys()):
        raise BadData(
            f"{PLAN}: overrides: there is no stage {unknown[0]!r}; expected one of {', '.join(PROFILES_BY_STAGE)}."
        )
    try:
        for stage, profiles in PROFILES_BY_STAGE.items():
            change_profile(stage, profiles, plan.pipeline)
    except BadData as fault:
        raise BadData(f"{PLAN}: {fault}") from None
    return plan


def _check_single_names(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """The object in JSON. Of two values under one name, any reader would silently use the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1)
        raise BadData(f"{PLAN}: expected each name once, got {twice!r} several times; join their values.")
    return found


def _refuse_constant(word: str) -> None:
    raise BadData(f"{PLAN}: expected a number, got {word}; correct it.")
