"""Checks before a request is read: the name by which the API was called, the token and the size of the body."""

import secrets
from collections.abc import Set
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import HTTPException
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1 << 20  # a request names data and does not contain them


@dataclass(frozen=True)
class AccessMiddleware:
    """ASGI middleware. With an empty `token` every client is accepted, with `*` among the `hosts` every name."""

    app: ASGIApp
    hosts: Set[str]
    token: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (refusal := self._refusal_response(Headers(scope=scope))):
            await self.app(scope, _limit_body(receive), send)
        else:
            await refusal(scope, receive, send)

    def _refusal_response(self, headers: Headers) -> JSONResponse | None:
        if not _host_is_trusted(headers.get("host", ""), self.hosts):
            known = ", ".join(sorted(self.hosts))
            sentence = f"Expected an address or one of the names {known} as the host (MER_API_HOSTS)."
            return JSONResponse({"detail": sentence}, 400)
        if self.token and not _token_matches(headers.get("authorization", ""), self.token):
            sentence = "Expected the deployment's token as `Authorization: Bearer TOKEN` (MER_API_TOKEN)."
            return JSONResponse({"detail": sentence}, 401, {"WWW-Authenticate": "Bearer"})
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
    """Compare in constant time: the time does not show where a wrong token differs."""
    scheme, _, given = authorization.partition(" ")
    return secrets.compare_digest(given.strip().encode(), token.encode()) and scheme.lower() == "bearer"


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
