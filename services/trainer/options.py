"""From what somebody asked for to how a run is trained: one rule for the command line and for a dropped dataset."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from services.trainer.data.features import Others
from services.trainer.evaluation.protocol import LOSO, Protocol, checked
from services.trainer.settings import TrainSettings, configured
from shared.errors import Misconfigured

# What is asked for -> the field of Protocol.
PROTOCOL = {"protocol" if name == "name" else name: name for name in Protocol.model_fields}
SEEDS: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=1, le=1000, title="seeds")])


@dataclass(frozen=True)
class Choice:
    """Settings; the emotions to tell apart, None: all that occur; the protocol; how often each fold is trained, with
    seeds from that of the settings on."""

    settings: TrainSettings
    classes: tuple[str, ...] | None = None
    protocol: Protocol = LOSO
    seeds: int = 1

    @property
    def others(self) -> Others:
        """What becomes of clips of other emotions: who names classes wants the others left out."""
        return "leave out" if self.classes else "refuse"


def chosen(profile: str, asked: Mapping[str, Any], device: str) -> Choice:
    """What `asked` says (`profile`, `model`, `classes`, `protocol`, any field of Protocol, `seeds`, any field of
    TrainSettings), the rest from the profile; without a model the one that the device can train. None asks for nothing.
    Raises Misconfigured that names what is wrong."""
    changes = {name: value for name, value in asked.items() if value is not None}
    profile, classes = str(changes.pop("profile", profile)), _classes(changes.pop("classes", None))
    model = changes.pop("model", "fmer-lite" if device == "cpu" else "fmer")
    try:
        protocol, seeds = _protocol(changes, classes), SEEDS.validate_python(changes.pop("seeds", 1))
        return Choice(configured(profile, model, **changes), classes, protocol, seeds)
    except ValidationError as error:
        raise Misconfigured(_sentence(error)) from None
    except ValueError as error:
        raise Misconfigured(str(error)) from None


def _protocol(changes: dict[str, Any], classes: tuple[str, ...] | None) -> Protocol:
    """Takes what is the protocol's out of `changes`."""
    given = {field: changes.pop(said) for said, field in PROTOCOL.items() if said in changes}
    protocol = checked(Protocol.model_validate(given))
    if protocol.task and classes:
        raise Misconfigured(f"Protocol {protocol.name} names its classes; leave classes {', '.join(classes)} out.")
    return protocol


def _classes(asked: Any) -> tuple[str, ...] | None:
    """`disgust,happiness` or a list of names."""
    names = asked.split(",") if isinstance(asked, str) else asked
    if names is not None and not (isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)):
        raise Misconfigured(f"classes {asked!r}: expected a list of emotions.")
    return tuple(names) if names else None


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    field, value = ".".join(map(str, first["loc"])) or "seeds", first["input"]
    field = "protocol" if (error.title, field) == ("Protocol", "name") else field
    if first["type"] == "extra_forbidden":
        known = ", ".join([*TrainSettings.model_fields, *PROTOCOL, "classes", "seeds"])
        return f"{field} {value!r}: no such training setting; there are {known}."
    return f"{field} {value!r}: {first['msg']}."
