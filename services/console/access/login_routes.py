"""The page on which a person logs in, and the end of a login."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

from fastapi.responses import RedirectResponse, Response
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from services.console.access.failed_logins import FailedLogins
from services.console.access.persons import COOKIE_NAME, SESSION_SECONDS, PersonRegister, make_cookie
from services.console.access.visitor import VISITOR, note_action
from services.console.pages.rendering import ROOT_PATH, render_page


class LoginPages:
    """Login by token. The cookie is for this site alone, and no script can read it."""

    def __init__(self, persons: PersonRegister, failures: FailedLogins) -> None:
        self.persons, self.failures = persons, failures

    def list_routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/login", self.show_form),
            Route("/login", self.log_in, methods=["POST"]),
            Route("/logout", self.log_out, methods=["POST"]),
        ]

    async def show_form(self, request: Request) -> Response:
        return _render_form(choose_target(request.query_params.get("next", "")))

    async def log_in(self, request: Request) -> Response:
        """A form with `token` and `next`, the address to show then."""
        fields = parse_qs((await request.body()).decode("utf-8", "replace"))
        target = choose_target(fields.get("next", [""])[0])
        person = self.persons.find_by_token(fields.get("token", [""])[0].strip())
        if person is None:
            refusal = self.failures.describe_failure(request.scope)
            return _render_form(target, refusal.sentence, refusal.status)
        VISITOR.set(person.visitor)
        note_action("logged in")
        answer = RedirectResponse(target, 303)
        secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))
        answer.set_cookie(COOKIE_NAME, make_cookie(person), SESSION_SECONDS, secure=secure, **_cookie_rules())
        return answer

    async def log_out(self, request: Request) -> Response:
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE_NAME, **_cookie_rules())
        return answer


def _cookie_rules() -> Any:
    return {"path": ROOT_PATH.get() or "/", "httponly": True, "samesite": "strict"}


def choose_target(given: str) -> str:
    """The address to show after a login: one of this console, else its home."""
    own = given.startswith("/") and not given.startswith(("//", "/\\")) and given.isprintable() and "\\" not in given
    return given if own else "/"


def _render_form(target: str, refusal: str = "", status: int = 200) -> Response:
    return render_page("login.html.j2", status, target=target, refusal=refusal)
