"""Checks before a request is read: the name by which the API was called, the token and the size of the body."""

import secrets
from base64 import b64decode
from collections.abc import Set
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import HTTPException
from fastapi.responses import Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.problems import refuse_request, wants_page

MAX_BODY_BYTES = 1 << 20  # a request names data and does not contain them
BROWSER_LOGIN = 'Basic realm="merstream", charset="UTF-8"'  # the browser asks for a name and a password
OWN_SITES = {"same-origin", "none"}  # of pages whose requests may change something. Only browsers say it
TOKEN_SENTENCE = (
    "Expected the deployment's token (MER_API_TOKEN) as `Authorization: Bearer TOKEN`. A browser sends it as the "
    "password of any user name."
)


@dataclass(frozen=True)
class AccessMiddleware:
    """ASGI middleware. With an empty `token` every client is accepted, with `*` among the `hosts` every name."""

    app: ASGIApp
    hosts: Set[str]
    token: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (refusal := self._refusal_response(scope)):
            whole = scope["type"] == "http" and _takes_a_file(scope)
            await self.app(scope, receive if whole else _limit_body(receive), send)
        else:
            await refusal(scope, receive, send)

    def _refusal_response(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not _host_is_trusted(headers.get("host", ""), self.hosts):
            known = ", ".join(sorted(self.hosts))
            sentence = f"Expected an address or one of the names {known} as the host (MER_API_HOSTS)."
            return refuse_request(scope, 400, sentence)
        if self.token and not _token_matches(headers.get("authorization", ""), self.token):
            scheme = BROWSER_LOGIN if wants_page(scope) else "Bearer"
            return refuse_request(scope, 401, TOKEN_SENTENCE, {"WWW-Authenticate": scheme})
        if scope["method"] not in ("GET", "HEAD") and headers.get("sec-fetch-site", "none") not in OWN_SITES:
            return refuse_request(scope, 403, "Expected a request of this console, got one of another site's page.")
        return None


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


def _token_matches(authorization: str, token: str) -> bool:
    """Compare in constant time: the time does not show where a wrong token differs. A browser's is a password."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "basic":
        given = _read_password(given)
    return secrets.compare_digest(given.strip().encode(), token.encode()) and scheme.lower() in ("bearer", "basic")


def _read_password(credentials: str) -> str:
    """The password in the credentials of HTTP Basic, "" if they are none."""
    try:
        return b64decode(credentials, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


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
