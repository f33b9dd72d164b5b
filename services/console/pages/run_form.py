"""The form that starts a run: its fields come from the models of the settings, and a run's own settings can fill it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from fastapi import HTTPException
from pydantic import ValidationError
from starlette.datastructures import ImmutableMultiDict

from services.console.api.responses import RunAnswer
from services.console.api.run_request import RunRequest
from services.console.pages.form_fields import FormField, describe_fields, format_value
from services.console.runs.run_reader import RunDetails
from shared.errors import first_problem
from shared.protocols import catalogue
from shared.training.model_settings import ModelSettings
from shared.training.protocol import GENERIC_PROTOCOLS, ProtocolSettings
from shared.training.settings import PROFILES, TrainSettings, settings_from_profile

NETWORK = "network"  # the field of `TrainSettings` that holds a model of its own
# What a request has beside `settings`, so that it is not asked for twice.
OWN_OPTIONS = {"model", "seed"}


@dataclass(frozen=True)
class FieldGroup:
    """Fields under one heading."""

    title: str
    fields: tuple[FormField, ...]


@cache
def list_groups() -> tuple[FieldGroup, ...]:
    """All fields of the form but the datasets."""
    models = next(field for field in describe_fields(TrainSettings) if field.name == "model").choices
    profiles = [name for name in PROFILES if not name.endswith(tuple(f"-{model}" for model in models))]
    choices = {
        "model": models,
        "profile": profiles,
        "protocol": (*GENERIC_PROTOCOLS, *catalogue.PROTOCOL_BY_NAME),
    }
    examples = list(PROFILES.values())
    return (
        FieldGroup("Run", tuple(describe_fields(RunRequest, left_out={"datasets", "settings"}, choices=choices))),
        FieldGroup("Protocol", tuple(describe_fields(ProtocolSettings, "settings.", {"name"}))),
        FieldGroup("Training", tuple(describe_fields(TrainSettings, "settings.", OWN_OPTIONS, examples=examples))),
        FieldGroup(
            "Network",
            tuple(
                describe_fields(
                    ModelSettings, f"settings.{NETWORK}.", examples=[getattr(each, NETWORK) for each in examples]
                )
            ),
        ),
    )


def read_request(form: ImmutableMultiDict[str, str]) -> RunRequest:
    """The request that a filled form describes. A field that was left empty requests nothing.

    Raises HTTPException 422 that names the wrong field.
    """
    request: dict[str, Any] = {"datasets": form.getlist("datasets"), "settings": {}}
    for group in list_groups():
        for field in group.fields:
            if text := form.get(field.name, "").strip():
                *parts, name = field.name.split(".")
                place = request
                for part in parts:
                    place = place.setdefault(part, {})
                place[name] = field.parse_text(text)
    if not request["datasets"]:
        raise HTTPException(422, "datasets: no dataset is chosen. Tick at least one.")
    try:
        return RunRequest.model_validate(request)
    except ValidationError as error:
        field_name, value, message = first_problem(error)
        raise HTTPException(422, f"{field_name} {value!r}: {message}.") from None


def fill_form(run: RunAnswer, details: RunDetails) -> ImmutableMultiDict[str, str]:
    """The form that requests a run again: the profile that is most like its settings, and what differs from it."""
    profiles = {name: _profile_values(name, run.model) for name in _field_choices("profile")}
    wanted = _list_form_texts(details.settings, "settings.")
    differing = {
        name: {field: value for field, value in wanted.items() if base.get(field) != value}
        for name, base in profiles.items()
    }
    profile = min(differing, key=lambda name: len(differing[name]))
    protocol = _list_form_texts(details.protocol, "settings.")
    defaults = _list_form_texts(ProtocolSettings().model_dump(mode="json"), "settings.")
    changed = {field: value for field, value in protocol.items() if defaults.get(field) != value}
    filled = {
        **(differing[profile] | {"profile": profile} if wanted else {}),
        **changed,
        "model": run.model,
        "protocol": run.protocol,
        "pipeline": run.pipeline,
        "seed": format_value(run.seed),
        "seeds": format_value(run.seeds),
        "classes": format_value(details.classes),
    }
    asked = {field.name for group in list_groups() for field in group.fields}
    pairs = [(name, value) for name, value in filled.items() if name in asked]
    return ImmutableMultiDict([*(("datasets", name) for name in run.dataset.split("+")), *pairs])


def find_wrong_field(sentence: str) -> str:
    """The name of the field that a refusal begins with, "" for none."""
    first = sentence.partition(" ")[0].rstrip(":")
    names = [field.name for group in list_groups() for field in group.fields]
    return next((name for name in names if name == first or name.endswith(f".{first}")), "")


def _field_choices(name: str) -> Iterable[str]:
    return next(field.choices for group in list_groups() for field in group.fields if field.name == name)


def _profile_values(profile: str, model: str) -> Mapping[str, str]:
    try:
        settings = settings_from_profile(profile, model)
    except ValueError:  # a model of another version
        settings = settings_from_profile(profile)
    return _list_form_texts(settings.model_dump(mode="json"), "settings.")


def _list_form_texts(values: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """Texts of the form by the names of its fields."""
    found: dict[str, str] = {}
    for name, value in values.items():
        if name == NETWORK and isinstance(value, Mapping):
            found |= _list_form_texts(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = format_value(value)
    return found
