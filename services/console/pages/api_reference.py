"""The page that describes the HTTP API, from its OpenAPI description. It needs no script and no file from elsewhere."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.responses import Response
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from services.console.pages.rendering import render_page
from services.console.pages.status_feed import StatusFeed

METHODS = ("get", "post", "put", "delete")
Description = Mapping[str, Any]  # a part of an OpenAPI document


@dataclass(frozen=True)
class FieldView:
    """A parameter of a request, or a field of a schema. `schemas` names those that `kind` mentions."""

    name: str
    place: str  # path, query or body
    kind: str
    schemas: tuple[str, ...]
    required: bool
    about: str


@dataclass(frozen=True)
class OperationView:
    """One request and its answers."""

    method: str
    path: str
    about: str
    fields: Sequence[FieldView]
    body: FieldView | None
    answers: Sequence[tuple[str, str, FieldView | None]]  # status, sentence, what it contains

    @property
    def anchor(self) -> str:
        return f"{self.method}{self.path}".replace("/", "-").replace("{", "").replace("}", "")


@dataclass(frozen=True)
class SchemaView:
    """The fields of what requests and answers contain."""

    name: str
    about: str
    fields: Sequence[FieldView]


class ApiReference:
    """The page `/docs`. `describe` returns the OpenAPI document."""

    def __init__(self, feed: StatusFeed, describe: Callable[[], Description]) -> None:
        self.feed, self.describe = feed, describe

    def list_routes(self) -> Sequence[BaseRoute]:
        return [Route("/docs", self.show_reference)]

    async def show_reference(self, request: Request) -> Response:
        moment, document = await self.feed.read_moment(), self.describe()
        return render_page(
            "api_reference.html.j2",
            digest=moment.digest,
            letter_count=len(moment.letters),
            operations=list(list_operations(document)),
            schemas=list(list_schemas(document)),
        )


def list_operations(document: Description) -> Iterator[OperationView]:
    """All requests, in the order of the document."""
    for path, methods in document["paths"].items():
        for method in METHODS:
            if operation := methods.get(method):
                yield OperationView(
                    method=method.upper(),
                    path=path,
                    about=operation.get("description", operation.get("summary", "")),
                    fields=[_view_parameter(each) for each in operation.get("parameters", ())],
                    body=_view_content(operation.get("requestBody", {})),
                    answers=[
                        (status, answer.get("description", ""), _view_content(answer))
                        for status, answer in operation["responses"].items()
                    ],
                )


def list_schemas(document: Description) -> Iterator[SchemaView]:
    """What requests and answers contain, by name."""
    for name, schema in sorted(document["components"]["schemas"].items()):
        required = schema.get("required", ())
        fields = [_view_field(own, "body", each, own in required) for own, each in schema.get("properties", {}).items()]
        yield SchemaView(name, schema.get("description", ""), fields)


def _view_parameter(parameter: Description) -> FieldView:
    sentence = parameter.get("description", "")
    schema = {**parameter["schema"], **({"description": sentence} if sentence else {})}
    return _view_field(parameter["name"], parameter["in"], schema, parameter.get("required", False))


def _view_content(holder: Description) -> FieldView | None:
    """What a body contains, None if nothing is said of it."""
    for kind, content in holder.get("content", {}).items():
        return _view_field(kind, "body", content.get("schema", {}), True)
    return None


def _view_field(name: str, place: str, schema: Description, required: bool) -> FieldView:
    kind, schemas = _describe_kind(schema)
    bounds = [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    default = [f"default {schema['default']!r}"] if schema.get("default") not in (None, "", [], {}) else []
    return FieldView(
        name, place, ", ".join([kind, *bounds, *default]), schemas, required, schema.get("description", "")
    )


def _describe_kind(schema: Description) -> tuple[str, tuple[str, ...]]:
    """A type in words, and the schemas that it names."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return name, (name,)
    if "const" in schema or "enum" in schema:
        return " or ".join(map(str, schema.get("enum", [schema.get("const")]))), ()
    if "anyOf" in schema:
        parts = [_describe_kind(each) for each in schema["anyOf"]]
        return " or ".join(kind for kind, _ in parts), tuple(name for _, names in parts for name in names)
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        kind, names = _describe_kind(schema["items"])
        return f"list of {kind}", names
    return str(schema.get("type", "anything")), ()
