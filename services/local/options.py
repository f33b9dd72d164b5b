"""`--set stage.field=value` -> the overrides of a pipeline, refused before any work if no stage has such a field."""

import json
from typing import Any

from pydantic import JsonValue

from shared.errors import BadData, Misconfigured
from shared.processing import settings_of
from shared.records import Pipeline


def overrides(profile: str, changes: list[str]) -> dict[str, dict[str, JsonValue]]:
    """Raises Misconfigured that names the stages, the fields or the profiles there are."""
    from services.local.stages import STAGES

    stages = {stage.name: stage for stage in STAGES}
    parsed: dict[str, dict[str, JsonValue]] = {}
    for change in changes:
        where, equals, value = change.partition("=")
        name, dot, field = where.partition(".")
        if not (equals and dot) or name not in stages:
            raise Misconfigured(f"--set {change}: expected STAGE.FIELD=VALUE with a stage of {', '.join(stages)}.")
        known = type(next(iter(stages[name].profiles.values()))).model_fields
        if field not in known:
            raise Misconfigured(f"--set {change}: {name} has no setting {field!r}; it has {', '.join(known)}.")
        parsed.setdefault(name, {})[field] = _value(value)
    _refuse_what_does_not_fit(stages.values(), Pipeline(profile=profile, overrides=parsed))
    return parsed


def _refuse_what_does_not_fit(stages: Any, pipeline: Pipeline) -> None:
    for stage in stages:
        try:
            settings_of(stage, pipeline)
        except BadData as error:
            raise Misconfigured(str(error)) from None


def _value(text: str) -> JsonValue:
    """JSON where it is JSON (3, true, [1.2, 2.0]), else the text itself."""
    try:
        value: JsonValue = json.loads(text)
    except json.JSONDecodeError:
        return text
    return value
