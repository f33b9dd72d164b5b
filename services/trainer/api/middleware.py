"""What a request must be before anybody reads it: of a client with the token, where there is one, and not too large."""

import secrets
from dataclasses import dataclass

from fastapi import HTTPException
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY_BYTES = 1 << 20  # of a body: a request names things, it does not hold them


@dataclass(frozen=True)
class TokenAndSizeMiddleware:
    """ASGI: `token` empty: whoever reaches the port is let in."""

    app: ASGIApp
    token: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (refusal := self._refusal_response(Headers(scope=scope))):
            await self.app(scope, _limit_body(receive), send)
        else:
            await refusal(scope, receive, send)

    def _refusal_response(self, headers: Headers) -> JSONResponse | None:
        if self.token and not _token_matches(headers.get("authorization", ""), self.token):
            said = "Expected the deployment's token as `Authorization: Bearer TOKEN` (MER_API_TOKEN)."
            return JSONResponse({"detail": said}, 401, {"WWW-Authenticate": "Bearer"})
        return None


def _token_matches(authorization: str, token: str) -> bool:
    """In a time that says nothing of where they differ."""
    scheme, _, given = authorization.partition(" ")
    return secrets.compare_digest(given.strip().encode(), token.encode()) and scheme.lower() == "bearer"


def _limit_body(receive: Receive) -> Receive:
    """A body is counted as it comes, whatever it says of its length."""
    got = 0

    async def receive_counted() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > MOST_BODY_BYTES:
            raise HTTPException(413, f"Expected a request of at most {MOST_BODY_BYTES} bytes.")
        return message

    return receive_counted
