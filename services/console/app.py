"""The ASGI application: routes, middleware, and every error as `{"detail": sentence}`."""

from collections.abc import Set
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from services.console.api.routes import Routes
from services.console.api.run_request import RunRequest
from services.console.middleware import AccessMiddleware


def create_application(routes: Routes, hosts: Set[str], token: str = "") -> AccessMiddleware:
    """Build the ASGI application. It serves /openapi.json, but no page of documentation.

    FastAPI's pages load scripts from the internet.
    """
    handlers: dict[Any, Any] = {RequestValidationError: _answer_invalid_request, Exception: _answer_unexpected_error}
    app = FastAPI(title="merstream", docs_url=None, redoc_url=None, exception_handlers=handlers)
    app.include_router(routes.build_router())
    return AccessMiddleware(app, hosts, token)


async def _answer_invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
    return JSONResponse({"detail": _describe_invalid_request(error.errors()[0])}, 422)


async def _answer_unexpected_error(request: Request, error: Exception) -> JSONResponse:
    """The client gets no details. The server logs the traceback."""
    return JSONResponse({"detail": "The server met an unexpected error. The log of the trainer has the details."}, 500)


def _describe_invalid_request(problem: dict[str, Any]) -> str:
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
