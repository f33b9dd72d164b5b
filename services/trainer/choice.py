"""From what somebody asked for to how a run is trained: one rule for the command line and for a dropped dataset."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from services.trainer.dataset import Others
from services.trainer.settings import TrainSettings, configured
from shared.errors import Misconfigured


@dataclass(frozen=True)
class Choice:
    """Settings, and the emotions to tell apart; None: all that occur."""

    settings: TrainSettings
    classes: tuple[str, ...] | None = None

    @property
    def others(self) -> Others:
        """What becomes of clips of other emotions: who names classes wants the others left out."""
        return "leave out" if self.classes else "refuse"


def chosen(profile: str, asked: Mapping[str, Any], device: str) -> Choice:
    """What `asked` says (`profile`, `model`, `classes`, any field of TrainSettings), the rest from the profile; without
    a model the one that the device can train. None asks for nothing. Raises Misconfigured that names what is wrong."""
    changes = {name: value for name, value in asked.items() if value is not None}
    profile, classes = str(changes.pop("profile", profile)), _classes(changes.pop("classes", None))
    model = changes.pop("model", "fmer-lite" if device == "cpu" else "fmer")
    try:
        return Choice(configured(profile, model, **changes), classes)
    except ValidationError as error:
        raise Misconfigured(_sentence(error)) from None
    except ValueError as error:
        raise Misconfigured(str(error)) from None


def _classes(asked: Any) -> tuple[str, ...] | None:
    """`disgust,happiness` or a list of names."""
    names = asked.split(",") if isinstance(asked, str) else asked
    if names is not None and not (isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)):
        raise Misconfigured(f"classes {asked!r}: expected a list of emotions.")
    return tuple(names) if names else None


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    field, value = ".".join(map(str, first["loc"])), first["input"]
    if first["type"] == "extra_forbidden":
        return f"{field} {value!r}: no such training setting; there are {', '.join(TrainSettings.model_fields)}."
    return f"{field} {value!r}: {first['msg']}."
