"""The page that describes the API: it is whole, and its links lead somewhere."""

import re

from services.console.app import describe_api
from services.console.pages.api_reference import list_operations, list_schemas
from tests.unit.console.conftest import Client


def test_every_request_and_every_schema_is_on_the_page(full: Client) -> None:
    page = full.open("/docs").text
    document = full.get("/openapi.json").json
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in page
    ids = set(re.findall(r'\sid="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) - {"content"} <= ids
    for field in ("part_bytes", "partial", "figures"):
        assert f"<code>{field}</code>" in page
    assert 'href="/docs"' in full.open("/").text


def test_types_bounds_and_defaults_are_said_in_words() -> None:
    found = {f"{each.method} {each.path}": each for each in list_operations(describe_api())}
    (dataset, limit, _) = found["GET /runs"].fields
    assert (dataset.kind, dataset.required) == ("string or null", False)
    assert limit.kind == "integer, from 1, to 1000, default 100"
    begun = found["POST /uploads"]
    assert begun.body
    assert (begun.body.kind, begun.body.schemas) == ("UploadRequest", ("UploadRequest",))
    fields = {schema.name: {field.name: field for field in schema.fields} for schema in list_schemas(describe_api())}
    assert fields["UploadRequest"]["to"].kind == "datasets or videos"
    assert fields["UploadAnswer"]["parts"].kind == "list of integer"
    assert fields["RunRequest"]["seeds"].kind.startswith("integer or null")
