"""From requested options to training settings: one rule for command line, API and uploaded datasets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from shared.errors import Misconfigured, first_problem
from shared.training.clip_selection import OtherEmotions
from shared.training.protocol import LOSO_PROTOCOL, ProtocolSettings, check_protocol
from shared.training.settings import TrainSettings, settings_from_profile

# Name of an option -> field of `ProtocolSettings`.
PROTOCOL_FIELD_BY_OPTION = {"protocol" if name == "name" else name: name for name in ProtocolSettings.model_fields}
MOST_SEEDS = 100  # of one run. A standard error shrinks with their root
SEED_COUNT_ADAPTER: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=1, le=MOST_SEEDS, title="seeds")])


@dataclass(frozen=True)
class TrainingOptions:
    """How a run is trained. `classes`: the emotions to distinguish, None for all that occur.

    Each fold is trained `seeds` times, with consecutive seeds from that of the settings on.
    """

    settings: TrainSettings
    classes: tuple[str, ...] | None = None
    protocol: ProtocolSettings = LOSO_PROTOCOL
    seeds: int = 1

    @property
    def other_emotions(self) -> OtherEmotions:
        """What happens to clips of other emotions: named classes leave them out."""
        return "leave out" if self.classes else "refuse"


def resolve_options(profile: str, requested: Mapping[str, Any], device: str) -> TrainingOptions:
    """The options that `requested` names, all others from the profile. A value of None requests nothing.

    Names: `profile`, `model`, `classes`, `protocol`, `seeds`, any field of `ProtocolSettings` or `TrainSettings`. The
    default model is one that the device can train. Raises Misconfigured that names the wrong option.
    """
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
    """Remove the protocol's options from `changes` and build the protocol of them."""
    given = {field: changes.pop(option) for option, field in PROTOCOL_FIELD_BY_OPTION.items() if option in changes}
    protocol = check_protocol(ProtocolSettings.model_validate(given))
    if protocol.named_protocol and classes:
        raise Misconfigured(f"Protocol {protocol.name} names its classes; leave out classes {', '.join(classes)}.")
    return protocol


def _parse_classes(requested: Any) -> tuple[str, ...] | None:
    """`disgust,happiness` or a list of names."""
    names = requested.split(",") if isinstance(requested, str) else requested
    if names is not None and not (isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)):
        raise Misconfigured(f"classes {requested!r}: expected a list of emotions.")
    return tuple(names) if names else None


def _describe_wrong_option(error: ValidationError) -> str:
    """The first problem, by the name of the option. The adapter of `seeds` has no field."""
    field, value, message = first_problem(error)
    option = "protocol" if (error.title, field) == (ProtocolSettings.__name__, "name") else field or "seeds"
    if error.errors()[0]["type"] == "extra_forbidden":
        known = ", ".join([*TrainSettings.model_fields, *PROTOCOL_FIELD_BY_OPTION, "classes", "seeds"])
        message = f"no such training setting; there are {known}"
    return f"{option} {value!r}: {message}."
