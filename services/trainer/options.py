"""From what somebody asked for to how a run is trained: one rule for the command line and for a dropped dataset."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from services.trainer.data.features import OtherEmotions
from services.trainer.evaluation.protocol import LOSO_PROTOCOL, ProtocolSettings, check_protocol
from services.trainer.settings import TrainSettings, settings_from_profile
from shared.errors import Misconfigured

# What is asked for -> the field of Protocol.
PROTOCOL_FIELD_BY_OPTION = {"protocol" if name == "name" else name: name for name in ProtocolSettings.model_fields}
SEED_COUNT_ADAPTER: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=1, le=1000, title="seeds")])


@dataclass(frozen=True)
class TrainingOptions:
    """Settings; the emotions to tell apart, None: all that occur; the protocol; how often each fold is trained, with
    seeds from that of the settings on."""

    settings: TrainSettings
    classes: tuple[str, ...] | None = None
    protocol: ProtocolSettings = LOSO_PROTOCOL
    seeds: int = 1

    @property
    def other_emotions(self) -> OtherEmotions:
        """What becomes of clips of other emotions: who names classes wants the others left out."""
        return "leave out" if self.classes else "refuse"


def resolve_options(profile: str, requested: Mapping[str, Any], device: str) -> TrainingOptions:
    """What `asked` says (`profile`, `model`, `classes`, `protocol`, any field of Protocol, `seeds`, any field of
    TrainSettings), the rest from the profile; without a model the one that the device can train. None asks for nothing.
    Raises Misconfigured that names what is wrong."""
    changes = {name: value for name, value in requested.items() if value is not None}
    profile, classes = str(changes.pop("profile", profile)), _parse_classes(changes.pop("classes", None))
    model = changes.pop("model", "fmer-lite" if device == "cpu" else "fmer")
    try:
        protocol, seeds = _take_protocol(changes, classes), SEED_COUNT_ADAPTER.validate_python(changes.pop("seeds", 1))
        return TrainingOptions(settings_from_profile(profile, model, **changes), classes, protocol, seeds)
    except ValidationError as error:
        raise Misconfigured(_describe_wrong_option(error)) from None
    except ValueError as error:
        raise Misconfigured(str(error)) from None


def _take_protocol(changes: dict[str, Any], classes: tuple[str, ...] | None) -> ProtocolSettings:
    """Takes what is the protocol's out of `changes`."""
    given = {field: changes.pop(said) for said, field in PROTOCOL_FIELD_BY_OPTION.items() if said in changes}
    protocol = check_protocol(ProtocolSettings.model_validate(given))
    if protocol.named_protocol and classes:
        raise Misconfigured(f"Protocol {protocol.name} names its classes; leave classes {', '.join(classes)} out.")
    return protocol


def _parse_classes(requested: Any) -> tuple[str, ...] | None:
    """`disgust,happiness` or a list of names."""
    names = requested.split(",") if isinstance(requested, str) else requested
    if names is not None and not (isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)):
        raise Misconfigured(f"classes {requested!r}: expected a list of emotions.")
    return tuple(names) if names else None


def _describe_wrong_option(error: ValidationError) -> str:
    first = error.errors()[0]
    field, value = ".".join(map(str, first["loc"])) or "seeds", first["input"]
    field = "protocol" if (error.title, field) == (ProtocolSettings.__name__, "name") else field
    if first["type"] == "extra_forbidden":
        known = ", ".join([*TrainSettings.model_fields, *PROTOCOL_FIELD_BY_OPTION, "classes", "seeds"])
        return f"{field} {value!r}: no such training setting; there are {known}."
    return f"{field} {value!r}: {first['msg']}."
