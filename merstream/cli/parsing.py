"""What a person typed -> what stages and trainer read. Wrong options are refused before any work."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from pydantic import JsonValue

from shared.errors import BadData, Misconfigured
from shared.protocols.label_sets import DATASET_NAMES
from shared.records import Pipeline
from shared.settings_text import decode_settings


def given_parameters(context: typer.Context) -> set[str]:
    """The names of the parameters that the command line gives, whether or not they have their default values."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}


def parse_pipeline(profile: str, changes: Sequence[str]) -> Pipeline:
    """`--profile` and `--set stage.field=value` -> a pipeline. Raises Misconfigured as `build_pipeline` does."""
    from merstream.stages import build_pipeline

    parsed: dict[str, dict[str, JsonValue]] = {}
    for change in changes:
        target, equals, value = change.partition("=")
        stage, dot, field = target.partition(".")
        if not (equals and dot):
            raise Misconfigured(f"--set {change}: expected STAGE.FIELD=VALUE, for example flow.solver=exact.")
        parsed.setdefault(stage, {})[field] = _parse_json_or_text(value)
    return build_pipeline(profile, parsed)


def parse_training_settings(changes: Sequence[str]) -> dict[str, Any]:
    """`--set field=value` of `mer train` -> what `shared.training.options.resolve_options` reads.

    Raises Misconfigured for an option without `=`.
    """
    parsed: dict[str, Any] = {}
    for change in changes:
        field, equals, value = change.partition("=")
        if not (field and equals):
            raise Misconfigured(f"--set {change}: expected FIELD=VALUE with a training setting.")
        parsed[field] = _parse_json_or_text(value)
    return parsed


def collect_training_options(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The training options among a command's parameters (`typer.Context.params`).

    `shared.training.options.resolve_options` reads the result. Options without a value are left out.
    """
    requested = {
        **{name: parameters.get(name) for name in ("model", "epochs", "learning_rate", "seed", "protocol", "seeds")},
        **{name: parameters.get(name) for name in ("folds", "allow_other_counts", "distinct")},
        "batch": parameters.get("batch_size"),
        "classes": _split_names(parameters.get("classes")),
        "test_subjects": _parse_subject_names(parameters.get("test_subjects")),
        "datasets": dict(map(_parse_known_dataset, parameters.get("known_as") or [])) or None,
    }
    return {name: value for name, value in requested.items() if value is not None}


def _split_names(text: str | None) -> list[str] | None:
    return text.split(",") if text else None


def _parse_subject_names(text: str | None) -> list[str] | None:
    """`s1,s2`, or a file with one name per line. Raises Misconfigured if it names no subject."""
    if text is None:
        return None
    file = Path(text)
    try:
        parts = decode_settings(file.read_bytes(), text).splitlines() if file.is_file() else text.split(",")
    except (OSError, BadData) as error:
        raise Misconfigured(f"--test-subjects {text}: expected a text file: {error}.") from None
    if names := [part.strip() for part in parts if part.strip()]:
        return names
    raise Misconfigured(f"--test-subjects {text}: expected names of subjects, got none.")


def _parse_known_dataset(text: str) -> tuple[str, str]:
    name, equals, key = text.rpartition("=")
    if not (equals and key in DATASET_NAMES):
        raise Misconfigured(f"--known-as {text}: expected NAME=KEY with a key of {', '.join(DATASET_NAMES)}.")
    return name, key


def _parse_json_or_text(text: str) -> JsonValue:
    """The JSON value of a text (3, true, [1.2, 2.0]), or the text itself if it is no JSON."""
    try:
        value: JsonValue = json.loads(text)
    except json.JSONDecodeError:
        return text
    return value
