"""Options as somebody types them -> what stages and trainer read, refused before any work if it makes no sense."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from shared.errors import BadData, Misconfigured
from shared.protocols.label_sets import DATASET_NAMES
from shared.records import Pipeline
from shared.worker.stage_handler import pipeline_settings


def parse_overrides(profile: str, changes: list[str]) -> dict[str, dict[str, JsonValue]]:
    """`--set stage.field=value` -> the overrides of a pipeline. Raises Misconfigured that names the stages, the
    fields or the profiles there are."""
    from merstream.stages import STAGES

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
        parsed.setdefault(name, {})[field] = _parse_json_or_text(value)
    _check_stage_settings(stages.values(), Pipeline(profile=profile, overrides=parsed))
    return parsed


def parse_training_settings(changes: Sequence[str]) -> dict[str, Any]:
    """`--set field=value` of `mer train` -> what `services.trainer.options.chosen` reads. Raises Misconfigured."""
    parsed: dict[str, Any] = {}
    for change in changes:
        field, equals, value = change.partition("=")
        if not (field and equals):
            raise Misconfigured(f"--set {change}: expected FIELD=VALUE with a training setting.")
        parsed[field] = _parse_json_or_text(value)
    return parsed


def collect_evaluation_options(
    protocol: str | None = None,
    seeds: int | None = None,
    folds: int | None = None,
    test_subjects: str | None = None,
    known_as: Sequence[str] | None = None,
    other_counts: bool | None = None,
) -> dict[str, Any]:
    """What `services.trainer.options.chosen` is asked for; what was not given is left out."""
    asked = {
        "protocol": protocol,
        "seeds": seeds,
        "folds": folds,
        "test_subjects": _parse_subject_names(test_subjects),
        "datasets": dict(map(_parse_known_dataset, known_as or [])) or None,
        "allow_other_counts": other_counts,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _parse_subject_names(text: str | None) -> list[str] | None:
    """`s1,s2`, or a file with a name on each line. Raises Misconfigured for none at all."""
    if text is None:
        return None
    file = Path(text)
    try:
        parts = file.read_text(encoding="utf-8").splitlines() if file.is_file() else text.split(",")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"--test-subjects {text}: expected a text file: {error}.") from None
    if names := [part.strip() for part in parts if part.strip()]:
        return names
    raise Misconfigured(f"--test-subjects {text}: expected names of subjects, got none.")


def _parse_known_dataset(text: str) -> tuple[str, str]:
    name, equals, key = text.rpartition("=")
    if not (equals and key in DATASET_NAMES):
        raise Misconfigured(f"--known-as {text}: expected NAME=KEY with a key of {', '.join(DATASET_NAMES)}.")
    return name, key


def _check_stage_settings(stages: Any, pipeline: Pipeline) -> None:
    for stage in stages:
        try:
            pipeline_settings(stage, pipeline)
        except BadData as error:
            raise Misconfigured(str(error)) from None


def _parse_json_or_text(text: str) -> JsonValue:
    """JSON where it is JSON (3, true, [1.2, 2.0]), else the text itself."""
    try:
        value: JsonValue = json.loads(text)
    except json.JSONDecodeError:
        return text
    return value
