"""The console below a path of a proxy's address (MER_ROOT_PATH): `https://lab.example/mer/runs` in place of `/runs`.

Inside, nothing knows of the prefix. It is taken off each request, if the proxy has not done so. Answers get it back:
pages in their links, headers in their redirects.
"""

from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.pages.rendering import ROOT_PATH


@dataclass(frozen=True)
class PrefixMiddleware:
    """ASGI middleware, the outermost one. `prefix` is "" or begins with a slash."""

    app: ASGIApp
    prefix: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_prefix(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if (location := headers.get("location", "")).startswith("/"):
                    headers["location"] = self.prefix + location
            await send(message)

        ROOT_PATH.set(self.prefix)
        path = scope.get("path", "")
        if self.prefix and (path == self.prefix or path.startswith(f"{self.prefix}/")):
            scope = {**scope, "path": path.removeprefix(self.prefix) or "/"}
        await self.app(scope, receive, send_with_prefix)
