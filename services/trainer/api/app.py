"""The application: routes, the guard in front, and every error as `{"detail": sentence}`."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from services.trainer.api.middleware import TokenAndSizeMiddleware
from services.trainer.api.routes import Routes
from services.trainer.api.run_request import RunRequest


def create_application(routes: Routes, token: str = "") -> TokenAndSizeMiddleware:
    """ASGI. It has /openapi.json and no page of documentation: FastAPI's would fetch its scripts from the internet."""
    handlers: dict[Any, Any] = {RequestValidationError: _answer_invalid_request, Exception: _answer_surprise}
    app = FastAPI(title="merstream", docs_url=None, redoc_url=None, exception_handlers=handlers)
    app.include_router(routes.build_router())
    return TokenAndSizeMiddleware(app, token)


async def _answer_invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
    return JSONResponse({"detail": _describe_invalid_request(error.errors()[0])}, 422)


async def _answer_surprise(request: Request, error: Exception) -> JSONResponse:
    """The server logs it in full."""
    return JSONResponse({"detail": "Something went wrong that nobody foresaw; the trainer's log has it."}, 500)


def _describe_invalid_request(wrong: dict[str, Any]) -> str:
    """Of the first thing that is wrong, as `choice.chosen` words it."""
    field = ".".join(map(str, wrong["loc"][1:]))
    if wrong["type"] == "json_invalid":
        return f"Expected JSON: {wrong['ctx']['error']} at character {field}."
    if not field:
        return "Expected a JSON object, sent as `Content-Type: application/json`."
    if wrong["type"] == "extra_forbidden":
        known = f"there are {', '.join(RunRequest.model_fields)}"
        return f"{field} {wrong['input']!r}: no such field of a run; {known}. Training settings go into `settings`."
    return f"{field}: {wrong['msg']}."
