"""The JSON of a `merstream.json`, checked more strictly than a reader of JSON would."""

import json
from collections.abc import Sequence
from typing import TypeVar

from pydantic import ValidationError

from shared.errors import BadData, first_problem
from shared.records import FrozenModel
from shared.settings_text import decode_settings

AnyPlan = TypeVar("AnyPlan", bound=FrozenModel)


def decode_plan(data: bytes, plan: type[AnyPlan], name: str) -> AnyPlan:
    """The plan in the bytes of the file `name`. Raises BadData that names the first wrong field or line."""
    text = decode_settings(data, name)
    try:
        found = plan.model_validate_json(text)
        json.loads(text, object_pairs_hook=_check_single_names, parse_constant=_refuse_constant)
    except ValidationError as error:
        field, _, message = first_problem(error)
        known = ", ".join(plan.model_fields)
        raise BadData(f"{name}: {field or 'the file'}: {message}; expected JSON with {known}; correct it.") from None
    except BadData as fault:
        raise BadData(f"{name}: {fault}") from None
    return found


def _check_single_names(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """The object in JSON. Of two values under one name, any reader would silently use the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1)
        raise BadData(f"expected each name once, got {twice!r} several times; join their values.")
    return found


def _refuse_constant(word: str) -> None:
    raise BadData(f"expected a number, got {word}; correct it.")
