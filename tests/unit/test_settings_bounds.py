"""Every number that somebody can set has bounds, and the inbox knows the settings of every stage."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from merstream.stages import STAGES
from services.console.api.run_request import RunRequest
from shared.inbox.dataset_plan import DatasetPlan
from shared.settings import Settings
from shared.stage_settings.registry import PROFILES_BY_STAGE
from shared.training.protocol import ProtocolSettings
from shared.training.settings import TrainSettings
from shared.video_records import VideoPlan

MODELS: list[type[BaseModel]] = [
    Settings,
    TrainSettings,
    ProtocolSettings,
    RunRequest,
    DatasetPlan,
    VideoPlan,
    *(type(profiles["corrected"]) for profiles in PROFILES_BY_STAGE.values()),
]
LOWER, UPPER = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
# Fields of any JSON, which the models above check in their turn.
FREE = ("overrides", "train", "settings")


def list_unbounded(schema: Any, path: str = "") -> Iterator[str]:
    """The places in a JSON schema of numbers that lack a bound, and of lists of numbers without a length."""
    if isinstance(schema, list):
        for each in schema:
            yield from list_unbounded(each, path)
    elif isinstance(schema, dict):
        if schema.get("type") in ("integer", "number") and not ({*LOWER} & {*schema} and {*UPPER} & {*schema}):
            yield path
        if schema.get("type") == "array" and schema.get("items", {}).get("type") in ("integer", "number"):
            yield from () if "maxItems" in schema else (f"{path}: length",)
        for name, inner in schema.items():
            if name not in FREE and name not in ("default", "description", "title", "$defs", "JsonValue"):
                yield from list_unbounded(inner, f"{path}/{name}")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_number_has_bounds(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    defined = {name: each for name, each in schema.get("$defs", {}).items() if name != "JsonValue"}
    assert list(list_unbounded([schema.get("properties", {}), defined])) == []


def test_a_number_without_bounds_is_found() -> None:
    class Loose(BaseModel):
        low: int | None = None
        many: tuple[float, ...] = ()

    assert list(list_unbounded(Loose.model_json_schema()["properties"])) == [
        "/low/anyOf",
        "/many: length",
        "/many/items",
    ]


def test_the_inbox_checks_the_profiles_of_every_stage() -> None:
    assert {stage.name: stage.profiles for stage in STAGES} == PROFILES_BY_STAGE
