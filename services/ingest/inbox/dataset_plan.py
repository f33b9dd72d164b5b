"""`merstream.json` beside a dataset: the pipeline and the training settings that it is to have."""

from typing import Literal

from pydantic import Field, JsonValue, ValidationError

from services.ingest.catalogue.entry import Labels, Prefer, Reading, Switch
from services.ingest.inbox.names import PLAN
from services.ingest.stage import STAGE
from shared.bus.topics import GROUPS
from shared.errors import BadData
from shared.records import Model, Pipeline
from shared.worker.stage_handler import settings_of


class Plan(Model):
    """Everything has a default."""

    profile: Literal["corrected", "paper"] = "corrected"
    overrides: dict[str, dict[str, JsonValue]] = Field(default_factory=dict, description="by stage and field")
    train: dict[str, JsonValue] = Field(default_factory=dict, description="what differs from the trainer's defaults")
    prefer: Prefer = "cropped"
    corrections: Switch = "documented"
    labels: Labels = "emotion"
    fps: float | None = Field(None, gt=0, description="the true rate, where the catalogue's is wrong")

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(profile=self.profile, overrides=self.overrides)

    @property
    def reading(self) -> Reading:
        return Reading(self.prefer, self.corrections, self.labels, self.fps)


def read(data: bytes) -> Plan:
    """Raises BadData with the first field that is wrong."""
    try:
        plan = Plan.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise BadData(
            f"{PLAN}: {where}: {first['msg']}; expected JSON with {', '.join(Plan.model_fields)}; correct it."
        ) from None
    if unknown := sorted(plan.overrides.keys() - GROUPS.keys()):
        raise BadData(f"{PLAN}: overrides: there is no stage {unknown[0]!r}; expected one of {', '.join(GROUPS)}.")
    try:
        settings_of(STAGE, plan.pipeline)
    except BadData as fault:
        raise BadData(f"{PLAN}: {fault}") from None
    return plan
