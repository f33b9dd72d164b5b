"""Checks before a request is read: the host it names, where it comes from, who sends it and the size of its body."""

from collections.abc import Set
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from fastapi import HTTPException
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.access.failed_logins import TOO_MANY, WRONG_TOKEN, FailedLogins
from services.console.access.persons import PersonRegister
from services.console.access.route_roles import READING_METHODS, find_role
from services.console.access.visitor import ANYBODY, VISITOR, Visitor
from services.console.problems import refuse_request, wants_page

MAX_BODY_BYTES = 1 << 20  # a request names data and does not contain them
OWN_SITES = {"same-origin", "none"}  # of pages whose requests may change something. Only browsers say it
PUBLIC_PATHS = ("/login", "/static/")


@dataclass(frozen=True)
class AccessMiddleware:
    """ASGI middleware. Without `persons` every client is accepted, with `*` among the `hosts` every name."""

    app: ASGIApp
    hosts: Set[str]
    persons: PersonRegister
    failures: FailedLogins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif refusal := self._refuse_origin(scope) or self._admit_visitor(scope):
            await refusal(scope, receive, send)
        else:
            await self.app(scope, receive if _takes_a_file(scope) else _limit_body(receive), send)

    def _refuse_origin(self, scope: Scope) -> Response | None:
        """A page of another site can make a browser send requests, but not hide where they come from."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not _host_is_trusted(host, self.hosts):
            known = ", ".join(sorted(self.hosts))
            sentence = f"Expected an address or one of the names {known} as the host (MER_API_HOSTS)."
            return refuse_request(scope, 400, sentence)
        if scope["method"] not in READING_METHODS and not self._comes_from_here(headers, host):
            return refuse_request(scope, 403, "Expected a request of this console, got one of another site's page.")
        return None

    def _comes_from_here(self, headers: Headers, host: str) -> bool:
        """Browsers say the site over TLS and to localhost. Else they say the origin. A program says neither."""
        if site := headers.get("sec-fetch-site"):
            return site in OWN_SITES
        if (origin := headers.get("origin")) is None:
            return True
        try:
            parts = urlsplit(origin)
            return parts.netloc.lower() == host.lower() or (parts.hostname or "") in self.hosts
        except ValueError:
            return False

    def _admit_visitor(self, scope: Scope) -> Response | None:
        """Note who sends the request. The answer refuses who is not known or may not do it."""
        visitor: Visitor = ANYBODY
        if self.persons.asks_for_login() and not scope["path"].startswith(PUBLIC_PATHS):
            headers = Headers(scope=scope)
            person = self.persons.find_by_headers(headers)
            if person is None:
                return self._ask_for_login(scope, headers)
            visitor = person.visitor
        VISITOR.set(visitor)
        if visitor.role < (least := find_role(scope["method"], scope["path"])):
            own, wanted = visitor.role.name.lower(), least.name.lower()
            sentence = f"Expected the role {wanted} or a higher one, {visitor.name} has the role {own}."
            return refuse_request(scope, 403, sentence)
        return None

    def _ask_for_login(self, scope: Scope, headers: Headers) -> Response:
        if wants_page(scope) and "authorization" not in headers:
            asked = scope["path"] + (f"?{query.decode()}" if (query := scope["query_string"]) else "")
            target = asked if scope["method"] in READING_METHODS else "/"
            return RedirectResponse(f"/login?next={quote(target, safe='')}", 303)
        if "authorization" in headers and self.failures.describe_failure(scope).status == 429:
            return refuse_request(scope, 429, TOO_MANY, {"Retry-After": "60"})
        return refuse_request(scope, 401, WRONG_TOKEN, {"WWW-Authenticate": "Bearer"})


def _host_is_trusted(given: str, trusted: Set[str]) -> bool:
    """Whether a page of another site cannot have made the browser ask for this host (DNS rebinding).

    Such a page makes its own name point to this server. So names must be known, while any IP address is accepted.
    """
    try:
        host = urlsplit(f"//{given}").hostname or ""
    except ValueError:
        return False
    return "*" in trusted or host.rstrip(".") in trusted or _is_address(host)


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def _takes_a_file(scope: Scope) -> bool:
    """Whether the route itself limits the body."""
    path = str(scope["path"])
    return path == "/uploads/form" or (scope["method"] == "PUT" and path.startswith("/uploads/"))


def _limit_body(receive: Receive) -> Receive:
    """Count the bytes that arrive: a client can send a wrong Content-Length, or none."""
    received = 0

    async def receive_counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            raise HTTPException(413, f"Expected a request of at most {MAX_BODY_BYTES} bytes.")
        return message

    return receive_counted
