"""Fields of a form, described by pydantic models: whatever a model declares, the form asks for."""

import typing
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

FieldKind = Literal["choice", "number", "text", "lines"]
YES, NO = "yes", "no"


@dataclass(frozen=True)
class FormField:
    """One field. `name` has the parts of its place with dots. `defaults` are the values that it may have if left empty.

    Kinds: `text` of several values has commas between them, `lines` has a line of NAME=VALUE for each value.
    """

    name: str
    kind: FieldKind
    description: str
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    bounds: str = ""
    is_whole: bool = False
    is_several: bool = False
    defaults: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return self.name.rpartition(".")[2]

    def parse_text(self, text: str) -> Any:
        """What a person entered, for pydantic, which checks it: a scalar stays text."""
        if self.kind == "lines":
            pairs = (line.rpartition("=") for line in text.splitlines() if line.strip())
            return {name.strip(): value.strip() for name, _, value in pairs}
        return [part.strip() for part in text.split(",") if part.strip()] if self.is_several else text


def describe_fields(
    model: type[BaseModel],
    prefix: str = "",
    left_out: Collection[str] = (),
    choices: Mapping[str, Iterable[str]] | None = None,
    examples: Iterable[BaseModel] = (),
) -> Iterator[FormField]:
    """The fields of a model without its nested models. `choices` replace those of the model, by field.

    `examples` are instances whose values a field may have if it is left empty.
    """
    shown = list(examples)
    for name, info in model.model_fields.items():
        kind, own, several = _read_annotation(info.annotation)
        if name in left_out or kind is None:
            continue
        own = tuple((choices or {}).get(name, own))
        bounds = {
            limit: getattr(each, limit) for each in info.metadata for limit in _BOUND_SIGNS if hasattr(each, limit)
        }
        yield FormField(
            name=prefix + name,
            kind="choice" if own else kind,
            description=info.description or "",
            choices=own,
            least=bounds.get("ge"),
            most=bounds.get("le"),
            bounds=", ".join(f"{_BOUND_SIGNS[limit]} {value:,}" for limit, value in bounds.items()),
            is_whole=int in _list_types(info.annotation),
            is_several=several,
            defaults=tuple(dict.fromkeys(format_value(getattr(each, name)) for each in shown)) or _own_default(info),
        )


def format_value(value: Any) -> str:
    """A value as the form shows it, so that `FormField.parse_text` and pydantic give it back. "" for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return YES if value else NO
    if isinstance(value, Mapping):
        return "\n".join(f"{name}={each}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


_BOUND_SIGNS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def _own_default(info: FieldInfo) -> tuple[str, ...]:
    text = "" if info.is_required() else format_value(info.get_default(call_default_factory=True))
    return (text,) if text else ()


def _list_types(annotation: Any) -> tuple[Any, ...]:
    """The types of a field that may be None, without None."""
    return tuple(each for each in typing.get_args(annotation) or (annotation,) if each is not NoneType)


def _read_annotation(annotation: Any) -> tuple[FieldKind | None, tuple[str, ...], bool]:
    """Kind, choices, and whether there are several values. No kind for a nested model."""
    if NoneType in typing.get_args(annotation):
        (annotation,) = _list_types(annotation)
    origin = typing.get_origin(annotation)
    if origin is Literal:
        return "choice", typing.get_args(annotation), False
    if annotation is bool:
        return "choice", (YES, NO), False
    if annotation in (int, float):
        return "number", (), False
    if origin is dict:
        return "lines", (), True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return None, (), False
    return "text", (), origin is tuple
