"""Refusals and errors: a page for a browser, `application/problem+json` (RFC 9457) for a program."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.types import Scope

from services.console.api.run_request import RunRequest
from services.console.pages.rendering import render_page
from shared.records import FrozenModel

PROBLEM_TYPE = "application/problem+json"
FASTAPI_CANNOT_DECODE = "There was an error parsing the body"  # its detail of a 400, for a body that is no text
UNEXPECTED = "The server met an unexpected error. The log of the console has the details."


class Problem(FrozenModel):
    """Why a request was refused or failed."""

    type: str = Field("about:blank", description="The status says what kind of problem it is.")
    title: str = Field(description="The name of the status, such as Not Found.")
    status: int = Field(ge=400, le=599, description="The HTTP status.")
    detail: str = Field(description="What was expected, what was found and what to do.")


def wants_page(scope: Scope) -> bool:
    """Whether the client is a browser that opens an address: it accepts HTML by name."""
    return any(b"text/html" in value for name, value in scope["headers"] if name == b"accept")


def refuse_request(scope: Scope, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer of this status, as a page or as a problem."""
    title = HTTPStatus(status).phrase
    if wants_page(scope):
        return render_page("error.html.j2", status=status, title=title, detail=detail, headers=headers)
    problem = Problem(title=title, status=status, detail=detail)
    return JSONResponse(problem.model_dump(), status, headers, PROBLEM_TYPE)


async def _answer_http_error(request: Request, error: HTTPException) -> Response:
    if error.detail == FASTAPI_CANNOT_DECODE:
        return refuse_request(request.scope, 422, "Expected JSON in UTF-8, got a body that cannot be decoded as that.")
    return refuse_request(request.scope, error.status_code, str(error.detail), error.headers)


async def _answer_invalid_request(request: Request, error: RequestValidationError) -> Response:
    return refuse_request(request.scope, 422, describe_invalid_request(error.errors()[0]))


async def _answer_unexpected_error(request: Request, error: Exception) -> Response:
    """The client gets no details. The server logs the traceback."""
    return refuse_request(request.scope, 500, UNEXPECTED)


EXCEPTION_HANDLERS: dict[Any, Any] = {
    HTTPException: _answer_http_error,
    RequestValidationError: _answer_invalid_request,
    Exception: _answer_unexpected_error,
}


def describe_invalid_request(problem: dict[str, Any]) -> str:
    """The first problem as a sentence. `loc` begins with the part of the request, for example `body`."""
    field = ".".join(map(str, problem["loc"][1:]))
    if problem["type"] == "json_invalid":
        return f"Expected JSON: {problem['ctx']['error']} at character {field}."
    if not field:
        return "Expected a JSON object, sent as `Content-Type: application/json`."
    if problem["type"] == "extra_forbidden":
        known = ", ".join(RunRequest.model_fields)
        return (
            f"{field} {problem['input']!r}: no such field of a run; there are {known}. "
            "Training settings belong in `settings`."
        )
    return f"{field}: {problem['msg']}."
